//! Any events in any order: nobody is forgotten, and the group stays one.

use super::*;

const SEEDS: u64 = 120;
const EVENTS: usize = 300;

/// splitmix64: the same events for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len() as u64) as usize]
    }
}

/// A client that knows the group rather well, and is often wrong.
fn event(dice: &mut Dice, stage: &Stage, n: usize) -> String {
    let members: Vec<&Text> = stage.group.members.keys().collect();
    let pending: Vec<&Text> = stage.group.pending.keys().collect();
    let known = match (dice.roll(12), members.is_empty(), pending.is_empty()) {
        (0, ..) => "nobody".to_owned(),
        (1 | 2, _, false) => dice.pick(&pending).to_string(),
        (_, false, _) => dice.pick(&members).to_string(),
        _ => "nobody".to_owned(),
    };
    let instance = stage.group.members.get(&*known).and_then(|member| member.instance_id.clone());
    let known = match (instance, dice.roll(8)) {
        (Some(instance), 1..) => format!("{known}/{instance}"),
        (_, 0) => format!("{known}/s{}", dice.roll(4)),
        _ => known,
    };
    let protocols = dice.pick(&["x", "x,y", "y,x", "x=1,y", "y", "z", ","]);
    let generation = stage.group.generation - i32::from(dice.roll(8) == 0);
    let fails = if dice.roll(8) == 0 { "!" } else { "" };
    let static_id = format!("m{n}/s{}", dice.roll(4));
    let event = match dice.roll(20) {
        0 | 1 => format!("ask m{n} {protocols}"),
        2 => format!("new m{n} {protocols}"),
        3 => format!("new {static_id} {protocols}"),
        4 => format!("new9 {static_id} {protocols}"),
        5..=9 => format!("join {known} {protocols}"),
        10..=13 => format!("sync {known} {generation} {known}=1"),
        14 | 15 => format!("beat {known} {generation}"),
        16 => format!("leave {known} /s{}", dice.roll(4)),
        17 => format!("commit {known} {generation}"),
        _ => format!("wait {}", [1, 3, 9, 11, 61][dice.roll(5) as usize]),
    };
    format!("{fails}{event}")
}

impl Stage {
    /// What is so at any time.
    fn check(&self) {
        let group = &self.group;
        let mut counts: BTreeMap<Text, usize> = BTreeMap::new();
        let mut tickets = Vec::new();
        for (id, member) in &group.members {
            member.protocols.iter().for_each(|p| *counts.entry(p.name.clone()).or_default() += 1);
            tickets.extend(member.joining.into_iter().chain(member.syncing));
            assert!(member.joining.is_none() || group.state == State::PreparingRebalance);
            assert!(member.syncing.is_none() || group.state == State::CompletingRebalance);
            assert!(!group.pending.contains_key(id), "{id} is pending and a member");
            let instance = member.instance_id.as_ref();
            assert_eq!(instance.and_then(|one| group.instances.get(one)), instance.map(|_| id));
            assert!(member.alive_until.is_some() || member.is_excused(), "{id} lives for ever");
        }
        let statics = group.members.values().filter(|member| member.instance_id.is_some());
        assert_eq!(statics.count(), group.instances.len());
        assert_eq!(counts, group.supported);
        tickets.sort();
        assert_eq!(tickets, self.waiting.keys().copied().collect::<Vec<_>>(), "who waits");
        assert_eq!(group.leader.is_some(), !group.members.is_empty(), "one leader");
        assert!(group.leader.iter().all(|leader| group.members.contains_key(leader)));
        assert!(group.unsynced.iter().all(|id| group.members.contains_key(id)));
        match group.state {
            State::Empty => assert!(group.members.is_empty() && group.phase.is_none()),
            State::PreparingRebalance => assert!(group.phase.is_some(), "it waits for ever"),
            State::CompletingRebalance | State::Stable => {
                assert!(!group.members.is_empty() && group.protocol.is_some());
                assert!(group.unsynced.is_empty() || group.phase.is_some());
            }
            State::Dead => unreachable!("nobody deletes it"),
        }
    }
}

#[test]
fn any_events_in_any_order_leave_nobody_without_an_answer() {
    let seed = std::env::var("KAW_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = seed.map_or(0..SEEDS, |seed| seed..seed + 1);
    let (mut stable, mut answered) = (0, 0);
    for seed in seeds {
        let mut dice = Dice(seed);
        let mut stage = Stage::new(dice.pick(&["", "delay=3", "max=3", "delay=2 max=2"]));
        let mut generation = 0;
        // What the caller of a group keeps: when it is to look again.
        let mut alarm: Option<Instant> = None;
        let mut played = Vec::new();
        for n in 0..EVENTS {
            let line = event(&mut dice, &stage, n);
            played.push(line.clone());
            let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let came = stage.play(&line);
                stage.check();
                came
            }));
            let Ok(came) = came else {
                panic!("KAW_SEED={seed}:\n{}", played[played.len().saturating_sub(12)..].join("\n"))
            };
            answered += came.matches(": ").count();
            stable += usize::from(came.contains("→ Stable"));
            assert!(generation <= stage.group.generation, "KAW_SEED={seed}");
            generation = stage.group.generation;
            alarm = match line.trim_start_matches('!').starts_with("wait") {
                true => stage.group.take_alarm(),
                false => alarm.into_iter().chain(stage.group.take_alarm()).min(),
            };
            if let Some(due) = stage.group.next_deadline() {
                assert!(alarm.is_some_and(|at| at <= due), "KAW_SEED={seed}: nobody looks again");
            }
        }
        stage.play("wait 100000");
        stage.check();
        assert_eq!((stage.group.state(), stage.waiting.len()), (State::Empty, 0), "{seed}");
    }
    if seed.is_none() {
        assert!(200 < stable && 2_000 < answered, "too little happened: {stable} {answered}");
    }
}
