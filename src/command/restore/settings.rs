//! The settings of restored topics. While records are written, none of them changes, refuses or
//! removes any; in the end they are as they were in the backup.

use anyhow::bail;

use super::refused;
use super::target::Target;
use crate::client::Code;
use crate::client::admin::{Admin, Change, Changes, ConfigInfo, ConfigSource, NewTopic, Run};
use crate::command::admin::said;

/// What must not be in force meanwhile, and what is instead: stamps of the broker's own, bounds to
/// times, recompression, retention, compaction.
const MEANWHILE: [(&str, &str); 7] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
];
const BATCH_BYTES_MAX: &str = "max.message.bytes";
const IN_SYNC_MIN: &str = "min.insync.replicas";

/// What the user wants otherwise.
pub struct Settings {
    pub changed: Vec<(String, String)>,
    pub unset: Vec<String>,
    pub replicas: Option<i32>,
}

/// A topic that is ready to be written.
pub struct Begun {
    /// What is to be undone.
    held: Vec<String>,
    /// As a topic's settings bound a batch.
    pub batch_bytes_max: usize,
    /// As it will be in force, where it bounds anything.
    pub retention_ms: Option<i64>,
}

impl Settings {
    /// The settings that the topic is to have in the end.
    fn of(&self, target: &Target<'_>) -> Vec<(String, String)> {
        let own = target.wanted.topic.configs.iter();
        let kept = own.filter(|(key, _)| !self.is_changed(key) && !self.unset.contains(key));
        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
        kept.chain(self.changed.iter().cloned()).collect()
    }

    fn is_changed(&self, key: &str) -> bool {
        self.changed.iter().any(|(changed, _)| changed == key)
    }

    /// Makes the topics that are not there, or asks whether it could be done.
    pub fn create(
        &self,
        admin: &Admin,
        targets: &[Target<'_>],
        is_dry: bool,
    ) -> anyhow::Result<()> {
        let run = if is_dry { Run::Dry } else { Run::Real };
        let missing = targets.iter().filter(|target| target.there.is_none());
        let topics: Vec<_> = missing
            .map(|target| {
                let configs = self.of(target).into_iter().filter(|(key, _)| key != IN_SYNC_MIN);
                NewTopic {
                    name: target.wanted.target.clone(),
                    partitions: i32::try_from(target.wanted.topic.partitions.len()).ok(),
                    replicas: self.replicas,
                    configs: configs.collect(),
                }
            })
            .collect();
        if topics.is_empty() {
            return Ok(());
        }
        for (name, answer) in admin.create(&topics, run)? {
            match answer {
                Err(refusal) if refusal.code != Code::TOPIC_ALREADY_EXISTS => {
                    return Err(refused(&name, &refusal));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Has nothing in force that could touch a record.
    pub fn begin(&self, admin: &Admin, targets: &[Target<'_>]) -> anyhow::Result<Vec<Begun>> {
        let names: Vec<_> = targets.iter().map(|it| it.wanted.target.clone()).collect();
        let configs = configs(admin, &names)?;
        let mut begun = Vec::with_capacity(targets.len());
        for (target, configs) in targets.iter().zip(configs) {
            let name = &target.wanted.target;
            let count = target.wanted.topic.partitions.len();
            if target.count().is_some_and(|there| there < count) {
                let total = u32::try_from(count)?;
                let (_, answer) = admin.add_partitions(name, total, Run::Real)?;
                answer.map_err(|refusal| refused(name, &refusal))?;
            }
            let (changes, ready) = self.meanwhile(target, &configs);
            alter(admin, name, &changes)?;
            begun.push(ready);
        }
        Ok(begun)
    }

    /// What is changed first, of the settings that this cluster knows.
    fn meanwhile(&self, target: &Target<'_>, configs: &[ConfigInfo]) -> (Changes, Begun) {
        let value = |key: &str| {
            let found = configs.iter().find(|config| config.name == key);
            found.and_then(|config| config.value.clone())
        };
        let mut wanted: Vec<_> = MEANWHILE.map(|(key, value)| (key, value.to_owned())).into();
        let batch_bytes_max = batch_bytes_max(target, configs);
        wanted.push((BATCH_BYTES_MAX, batch_bytes_max.to_string()));
        wanted.retain(|(key, _)| value(key).is_some());
        // An earlier command that came to no end may have set them already.
        let is_own = |key: &str| {
            let mut own = configs.iter().filter(|config| config.source == ConfigSource::Topic);
            own.any(|config| config.name == key)
        };
        wanted.retain(|(key, new)| is_own(key) || value(key).is_some_and(|old| old != *new));
        let last = self.of(target);
        let last = |key: &str| last.iter().find(|(own, _)| own == key).map(|(_, it)| it.clone());
        let retention_ms = last("retention.ms").or_else(|| value("retention.ms"));
        let retention_ms = retention_ms.and_then(|text| text.parse().ok());
        let begun = Begun {
            held: wanted.iter().map(|(key, _)| (*key).to_owned()).collect(),
            batch_bytes_max,
            retention_ms: retention_ms.filter(|ms| 0 <= *ms),
        };
        let set = |(key, value): (&str, String)| (key.to_owned(), Change::Set(value));
        (wanted.into_iter().map(set).collect(), begun)
    }

    /// Gives the topics the settings that they are to have.
    pub fn end(
        &self,
        admin: &Admin,
        targets: &[Target<'_>],
        begun: &[Begun],
        tell: impl Fn(&str),
    ) -> anyhow::Result<()> {
        for (target, begun) in targets.iter().zip(begun) {
            let name = &target.wanted.target;
            let mut last = self.of(target);
            let replicas = admin.topic(name)?.partitions.first().map_or(1, |it| it.replicas.len());
            let too_many = |value: &str| value.parse().is_ok_and(|count: usize| replicas < count);
            if let Some(at) = last.iter().position(|(key, it)| key == IN_SYNC_MIN && too_many(it)) {
                let (key, value) = last.remove(at);
                tell(&format!(
                    "'{name}' is without {key}={value}: it has {replicas} of the replicas here"
                ));
            }
            let held = begun.held.iter().filter(|key| !last.iter().any(|(own, _)| own == *key));
            let mut changes: Changes = held.map(|key| (key.clone(), Change::Unset)).collect();
            changes.extend(last.into_iter().map(|(key, value)| (key, Change::Set(value))));
            alter(admin, name, &changes)?;
        }
        Ok(())
    }
}

/// How large a batch may be meanwhile: as large as any that is to come.
pub fn batch_bytes_max(target: &Target<'_>, configs: &[ConfigInfo]) -> usize {
    let largest = target.wanted.topic.partitions.iter().map(|it| it.batch_bytes_max).max();
    let largest = usize::try_from(largest.unwrap_or(0)).unwrap_or(usize::MAX);
    let allowed = configs.iter().find(|config| config.name == BATCH_BYTES_MAX);
    let allowed = allowed.and_then(|config| config.value.as_ref()?.parse().ok());
    allowed.map_or(largest, |allowed: usize| allowed.max(largest))
}

/// The settings of these topics, in their order.
pub fn configs(admin: &Admin, names: &[String]) -> anyhow::Result<Vec<Vec<ConfigInfo>>> {
    let mut answers = admin.configs(names)?;
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        match answers.iter_mut().find(|(other, _)| other == name) {
            Some((_, Ok(configs))) => all.push(std::mem::take(configs)),
            Some((_, Err(refusal))) => bail!("cannot ask for '{name}': {}", said(refusal)),
            None => bail!("cannot ask for '{name}': no answer"),
        }
    }
    Ok(all)
}

fn alter(admin: &Admin, name: &str, changes: &Changes) -> anyhow::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let (_, answer) = admin.alter_configs(name, changes, Run::Real)?;
    answer.map_err(|refusal| refused(name, &refusal))
}
