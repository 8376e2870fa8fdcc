//! The settings of topics.

use std::ffi::{CString, c_int};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{Answer, Call, Event, Native, Refusal, Run, optional, pointers, text_of};
use crate::client::Code;

/// As in the parent: error codes as plain integers.
mod plain {
    use super::{c_int, rd};

    unsafe extern "C" {
        pub fn rd_kafka_ConfigResource_error(
            resource: *const rd::rd_kafka_ConfigResource_t,
        ) -> c_int;
        pub fn rd_kafka_ConfigEntry_source(entry: *const rd::rd_kafka_ConfigEntry_t) -> c_int;
    }
}

/// A setting of a topic, and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigInfo {
    pub name: String,
    /// `None` where it is a secret.
    pub value: Option<String>,
    /// What it would be if nobody had set it, where the broker says.
    pub default: Option<String>,
    pub source: ConfigSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Topic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    Unknown,
}

/// A change to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Set(CString),
    /// Back to what the broker has for all topics.
    Unset,
}

/// Changes settings of topics and leaves the others as they are (KIP-339); each topic has an answer
/// of its own.
pub fn alter_configs(
    native: &Arc<Native>,
    topics: &[(CString, Vec<(CString, Change)>)],
    run: Run,
    wait: Duration,
) -> Result<Vec<Answer<()>>, Refusal> {
    let mut resources = Resources::default();
    for (name, changes) in topics {
        resources.push(name);
        for (key, change) in changes {
            resources.change(key, change)?;
        }
    }
    let kind = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let call = Call::new(native, kind, wait);
    call.run(run);
    // SAFETY: client, resources, options and queue are alive; the call copies the resources.
    call.send(|options, queue| unsafe {
        let (resources, count) = (resources.0.as_mut_ptr(), resources.0.len());
        rd::rd_kafka_IncrementalAlterConfigs(native.as_ptr(), resources, count, options, queue);
    });
    let event = call.answer()?;
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_IncrementalAlterConfigs_result(event.as_ptr());
        let mut count = 0;
        let resources =
            rd::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        let answers = pointers(resources, count).iter().map(|&resource| {
            let (name, answer) = config_answer(resource);
            (name, answer.map(drop))
        });
        Ok(answers.collect())
    }
}

/// Topics whose settings a call is about, ours.
#[derive(Default)]
struct Resources(Vec<*mut rd::rd_kafka_ConfigResource_t>);

impl Resources {
    fn push(&mut self, topic: &CString) {
        let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        // SAFETY: the name ends with NUL and is copied by the call.
        self.0.push(unsafe { rd::rd_kafka_ConfigResource_new(kind, topic.as_ptr()) });
    }

    /// Adds a change to the last topic.
    fn change(&mut self, key: &CString, change: &Change) -> Result<(), Refusal> {
        use rd::rd_kafka_AlterConfigOpType_t as op;
        let resource = *self.0.last().expect("a topic before its changes");
        let (op, value) = match change {
            Change::Set(value) => (op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.as_ptr()),
            Change::Unset => (op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE, ptr::null()),
        };
        // SAFETY: the resource is alive; texts end with NUL and are copied; an error is ours.
        unsafe {
            let error = rd::rd_kafka_ConfigResource_add_incremental_config(
                resource,
                key.as_ptr(),
                op,
                value,
            );
            if error.is_null() {
                return Ok(());
            }
            let text = text_of(rd::rd_kafka_error_string(error));
            rd::rd_kafka_error_destroy(error);
            Err(Refusal { code: Code::INVALID_ARGUMENT, text })
        }
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        // SAFETY: the resources are ours and used no more.
        unsafe { rd::rd_kafka_ConfigResource_destroy_array(self.0.as_mut_ptr(), self.0.len()) }
    }
}

/// The settings of topics; each topic has an answer of its own.
pub fn configs(
    native: &Arc<Native>,
    topics: &[CString],
    wait: Duration,
) -> Result<Vec<Answer<Vec<ConfigInfo>>>, Refusal> {
    Ok(configs_in(&ask_configs(native, topics, wait).answer()?))
}

/// Asks for the settings of topics, without waiting; `configs_in` reads the answer.
pub fn ask_configs(native: &Arc<Native>, topics: &[CString], wait: Duration) -> Call {
    let mut resources = Resources::default();
    topics.iter().for_each(|name| resources.push(name));
    let call = Call::new(native, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait);
    // SAFETY: client, resources, options and queue are alive; the call copies the resources.
    call.send(|options, queue| unsafe {
        let (resources, count) = (resources.0.as_mut_ptr(), resources.0.len());
        rd::rd_kafka_DescribeConfigs(native.as_ptr(), resources, count, options, queue);
    });
    call
}

/// What the answer to `ask_configs` says.
pub fn configs_in(event: &Event) -> Vec<Answer<Vec<ConfigInfo>>> {
    // SAFETY: the event is alive and of this kind; the array is as long as its count.
    unsafe {
        let result = rd::rd_kafka_event_DescribeConfigs_result(event.as_ptr());
        let mut count = 0;
        let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        pointers(resources, count).iter().map(|&resource| config_answer(resource)).collect()
    }
}

/// # Safety
/// The resource must be one of a live answer.
unsafe fn config_answer(resource: *const rd::rd_kafka_ConfigResource_t) -> Answer<Vec<ConfigInfo>> {
    // SAFETY: it is the caller's promise; the array is as long as its count.
    unsafe {
        let name = text_of(rd::rd_kafka_ConfigResource_name(resource));
        let code = Code(plain::rd_kafka_ConfigResource_error(resource));
        if code != Code::NONE {
            let text = text_of(rd::rd_kafka_ConfigResource_error_string(resource));
            return (name, Err(Refusal { code, text }));
        }
        let mut count = 0;
        let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        (name, Ok(pointers(entries, count).iter().map(|&entry| config_info(entry)).collect()))
    }
}

/// # Safety
/// The entry must be one of a live answer.
unsafe fn config_info(entry: *const rd::rd_kafka_ConfigEntry_t) -> ConfigInfo {
    // SAFETY: it is the caller's promise; the array is as long as its count.
    unsafe {
        let source = |entry| source(plain::rd_kafka_ConfigEntry_source(entry));
        let value = |entry| optional(rd::rd_kafka_ConfigEntry_value(entry));
        let mut count = 0;
        let others = rd::rd_kafka_ConfigEntry_synonyms(entry, &raw mut count);
        let mut others = pointers(others, count).iter();
        let default = others.find(|&&other| source(other) == ConfigSource::Default);
        ConfigInfo {
            name: text_of(rd::rd_kafka_ConfigEntry_name(entry)),
            value: value(entry),
            default: default.and_then(|&default| value(default)),
            source: source(entry),
        }
    }
}

/// The protocol's numbers (DescribeConfigsResponse.java).
fn source(number: c_int) -> ConfigSource {
    match number {
        1 => ConfigSource::Topic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        _ => ConfigSource::Unknown,
    }
}
