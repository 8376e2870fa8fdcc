//! AlterConfigs (33) v0-2: what is not named is deleted. IncrementalAlterConfigs (44) v0-1
//! (KIP-339): set, delete, append, subtract. Left out: resources other than topics and brokers,
//! which are refused by name.

use std::collections::{HashMap, HashSet};

use super::{Call, Outcome, create_topics, text};
use crate::broker::config::{Changes, Operation, Wish, has_effect, topic_has_effect};
use crate::broker::node::Node;
use crate::broker::topic::{Alteration, ChangeError, Target};
use crate::protocol::alter_configs::{
    AlterConfigsRequest, AlterConfigsResponse, AlteredResource, ReplacedResource,
};
use crate::protocol::describe_configs::ResourceType;
use crate::protocol::incremental_alter_configs::{
    AlterableConfig, AlterableResource, ConfigOperation, IncrementalAlterConfigsRequest,
};
use crate::protocol::{ErrorCode, Text};

/// What is wrong with a change, and Kafka's words for it.
type Refused = (ErrorCode, String);

/// One resource of a request, of either API.
struct Resource {
    kind: ResourceType,
    name: Text,
    wish: Result<Wish, Refused>,
}

pub fn replace(call: &mut Call<'_>, request: AlterConfigsRequest) -> Outcome<AlterConfigsResponse> {
    let resources = request.resources.into_iter().map(|resource| {
        let wish = replacement(&resource);
        Resource { kind: resource.kind, name: resource.name, wish }
    });
    alter(call.node, resources.collect(), request.validate_only)
}

pub fn incremental(
    call: &mut Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Outcome<AlterConfigsResponse> {
    let resources = request.resources.into_iter().map(|resource| {
        let wish = change(&resource);
        Resource { kind: resource.kind, name: resource.name, wish }
    });
    alter(call.node, resources.collect(), request.validate_only)
}

fn replacement(resource: &ReplacedResource) -> Result<Wish, Refused> {
    let configs = resource.configs.iter();
    sane(configs.clone().map(|config| (&config.name, config.value.is_none())))?;
    let values =
        configs.filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?)));
    Ok(Wish::Replace(values.map(|(name, value)| (name, value.to_string())).collect()))
}

fn change(resource: &AlterableResource) -> Result<Wish, Refused> {
    let configs = resource.configs.iter();
    sane(configs.clone().map(|config| {
        let is_null = config.value.is_none() && config.operation != ConfigOperation::DELETE;
        (&config.name, is_null)
    }))?;
    let operations = configs.map(|config| Ok((config.name.to_string(), operation(config)?)));
    operations.collect::<Result<_, _>>().map(Wish::Change)
}

/// Each config once, and none without a value that needs one (ConfigAdminManager.scala).
fn sane<'a>(configs: impl Iterator<Item = (&'a Text, bool)>) -> Result<(), Refused> {
    let mut seen = HashSet::new();
    let mut nulls: Vec<&str> = Vec::new();
    for (name, is_null) in configs {
        if !seen.insert(name) {
            return Err(bad_request("Error due to duplicate config keys"));
        }
        nulls.extend(is_null.then_some(&**name));
    }
    match nulls.is_empty() {
        true => Ok(()),
        false => Err(bad_request(format!("Null value not supported for : {}", nulls.join(", ")))),
    }
}

fn operation(config: &AlterableConfig) -> Result<Operation, Refused> {
    let value = config.value.as_deref().unwrap_or_default().to_owned();
    match config.operation {
        ConfigOperation::SET => Ok(Operation::Set(value)),
        ConfigOperation::DELETE => Ok(Operation::Delete),
        ConfigOperation::APPEND => Ok(Operation::Append(value)),
        ConfigOperation::SUBTRACT => Ok(Operation::Subtract(value)),
        ConfigOperation(other) => Err(bad_request(format!("Unknown operations type {other}"))),
    }
}

fn bad_request(why: impl Into<String>) -> Refused {
    (ErrorCode::INVALID_REQUEST, why.into())
}

fn alter(
    node: &Node,
    resources: Vec<Resource>,
    validate_only: bool,
) -> Outcome<AlterConfigsResponse> {
    let mut times: HashMap<(i8, Text), usize> = HashMap::new();
    for resource in &resources {
        *times.entry((resource.kind.0, resource.name.clone())).or_default() += 1;
    }
    let mut wanted = Vec::new();
    let mut asked = Vec::new();
    for resource in resources {
        let Resource { kind, name, wish } = resource;
        let alteration = match times[&(kind.0, name.clone())] {
            1 => wish.and_then(|wish| Ok(Alteration { target: target(node, kind, &name)?, wish })),
            _ => Err(bad_request("Each resource must appear at most once.")),
        };
        let refused = alteration.map(|alteration| wanted.push(alteration)).err();
        asked.push((kind, name, refused));
    }
    let made = match validate_only {
        true => node.topics.check_configs(&wanted),
        false => node.topics.alter_configs(&wanted),
    };
    let mut made = wanted.iter().zip(made).map(|(wanted, made)| {
        let changes = made.map_err(|error| refusal(&error))?;
        if !validate_only {
            announce(&wanted.target, &changes);
        }
        Ok(())
    });
    let responses = asked.into_iter().map(|(kind, name, refused)| {
        let refused = refused.or_else(|| made.next().and_then(Result::err));
        let (error_code, error_message) = match refused {
            Some((error_code, why)) => (error_code, Some(text(why))),
            None => (ErrorCode::NONE, None),
        };
        AlteredResource { error_code, error_message, kind, name }
    });
    let responses = responses.collect();
    let response = AlterConfigsResponse { responses, ..AlterConfigsResponse::default() };
    let durable = node.topics.catalogue_durable();
    Outcome::Later(Box::pin(async move {
        let mut response = response;
        if durable.wait().await.is_err() {
            for resource in &mut response.responses {
                resource.error_code = ErrorCode::KAFKA_STORAGE_ERROR;
                resource.error_message = Some(text("the disk did not sync"));
            }
        }
        response.into()
    }))
}

fn target(node: &Node, kind: ResourceType, name: &Text) -> Result<Target, Refused> {
    match kind {
        ResourceType::TOPIC => Ok(Target::Topic(name.clone())),
        ResourceType::BROKER if name.is_empty() => Ok(Target::AllBrokers),
        ResourceType::BROKER => match name.parse::<i32>() {
            Ok(id) if node.cluster.ids().any(|own| own.0 == id) => Ok(Target::Broker),
            Ok(_) => Err(bad_request(format!(
                "Unexpected broker id, expected {}, but received {name}",
                node.id()
            ))),
            Err(_) => Err(bad_request(format!("Node id must be an integer, but it is: {name}"))),
        },
        kind if kind.name().is_some() && kind != ResourceType::UNKNOWN => {
            Err(bad_request(format!("Unsupported resource type: {kind}")))
        }
        ResourceType(number) => Err(bad_request(format!("Unknown resource type {number}"))),
    }
}

fn refusal(error: &ChangeError) -> Refused {
    (create_topics::code(error), error.to_string())
}

fn announce(target: &Target, changes: &Changes) {
    for (name, value) in changes {
        let value = value.as_deref().unwrap_or("(default)");
        match target {
            Target::Topic(topic) => {
                tracing::info!(%topic, name, value, "config changed");
                if !topic_has_effect(name) {
                    tracing::warn!(%topic, name, "this setting has no effect on this broker");
                }
            }
            Target::Broker | Target::AllBrokers => {
                tracing::info!(name, value, "config changed");
                if !has_effect(name) {
                    tracing::warn!(name, "this setting has no effect on this broker");
                }
            }
        }
    }
}
