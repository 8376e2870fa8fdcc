//! DescribeConfigs (32) v1-4. v1: synonyms (KIP-226); v3: types and documentation (KIP-569); v4:
//! flexible. Left out: documentation, which is Apache's text; configs of loggers and client
//! metrics; groups have no configs yet.

use super::{Call, Outcome, text};
use crate::broker::config::{Described, Source, describe_topic};
use crate::broker::node::Node;
use crate::broker::topic::names;
use crate::protocol::describe_configs::{
    ConfigResource, ConfigSource, ConfigSynonym, ConfigType, DescribeConfigsRequest,
    DescribeConfigsResponse, DescribedConfig, DescribedResource, ResourceType,
};
use crate::protocol::{ErrorCode, Text};

pub fn handle(
    call: &mut Call<'_>,
    request: DescribeConfigsRequest,
) -> Outcome<DescribeConfigsResponse> {
    let with_synonyms = request.include_synonyms;
    let results = request.resources.into_iter().map(|resource| {
        let (error_code, error_message, configs) = match describe(call.node, &resource) {
            Err((error_code, why)) => (error_code, Some(text(why)), Vec::new()),
            Ok(all) => {
                let asked = |config: &Described| match &resource.config_names {
                    None => true,
                    // As from Apache (ConfigHelperUtils.java).
                    Some(names) if names.is_empty() => true,
                    Some(names) => names.iter().any(|name| **name == *config.name),
                };
                let configs = all.into_iter().filter(asked);
                let configs = configs.map(|config| on_the_wire(config, with_synonyms));
                // Empty, not null, as from Apache.
                (ErrorCode::NONE, Some(Text::default()), configs.collect())
            }
        };
        let ConfigResource { kind, name, .. } = resource;
        DescribedResource { error_code, error_message, kind, name, configs }
    });
    let results = results.collect();
    DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() }.into()
}

fn describe(node: &Node, resource: &ConfigResource) -> Result<Vec<Described>, (ErrorCode, String)> {
    let name = &resource.name;
    match resource.kind {
        ResourceType::TOPIC => {
            names::check(name)
                .map_err(|bad| (ErrorCode::INVALID_TOPIC_EXCEPTION, bad.to_string()))?;
            let topic = node.topics.get(name).ok_or_else(|| {
                let why = "This server does not host this topic-partition.";
                (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, why.into())
            })?;
            Ok(describe_topic(&topic.overrides, &node.topics.settings()))
        }
        // Without a name: what holds for all brokers (ConfigHelper.scala).
        ResourceType::BROKER if name.is_empty() => Ok(node.topics.settings().describe_cluster()),
        ResourceType::BROKER if node.cluster.ids().any(|id| **name == *id.to_string()) => {
            Ok(node.topics.settings().describe())
        }
        ResourceType::BROKER => Err((
            ErrorCode::INVALID_REQUEST,
            format!(
                "Unexpected broker id, expected {} or empty string, but received {name}",
                node.id()
            ),
        )),
        kind => Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {kind}"))),
    }
}

fn on_the_wire(config: Described, with_synonyms: bool) -> DescribedConfig {
    let synonyms = match with_synonyms {
        false => Vec::new(),
        true => {
            let synonyms = config.synonyms.into_iter();
            synonyms
                .map(|(name, value, from)| ConfigSynonym {
                    name: name.into(),
                    value: value.map(text),
                    source: source(from),
                })
                .collect()
        }
    };
    DescribedConfig {
        name: config.name.into(),
        value: config.value.map(text),
        read_only: config.read_only,
        source: source(config.source),
        is_sensitive: config.sensitive,
        synonyms,
        config_type: ConfigType(config.kind.code()),
        documentation: None,
    }
}

pub fn source(source: Source) -> ConfigSource {
    ConfigSource(source.code())
}
