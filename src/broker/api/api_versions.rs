//! ApiVersions (18) v0-4. v3: flexible, who the client is, features (KIP-511, KIP-584); v4:
//! features from version 0 (KAFKA-17011). Left out: nothing.

use super::{APIS, Call, Outcome, Pending, Refusal, Reply, encode, offered};
use crate::protocol::api_versions::{
    ApiVersionRange, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeature, SupportedFeature,
};
use crate::protocol::{ApiKey, ErrorCode};

/// The oldest and newest format of the catalogue that can be read here.
const METADATA_VERSION: (&str, i16, i16) = ("metadata.version", 7, 30);

pub fn handle(call: &mut Call<'_>, request: ApiVersionsRequest) -> Outcome<ApiVersionsResponse> {
    if 3 <= call.version {
        let (name, version) = (request.client_software_name, request.client_software_version);
        if !is_software(&name) || !is_software(&version) {
            let error_code = ErrorCode::INVALID_REQUEST;
            return ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() }.into();
        }
        call.session.guest.runs(format!("{name} {version}"));
    }
    let (name, version_min, version_max) = METADATA_VERSION;
    let level = call.node.topics.metadata_version();
    ApiVersionsResponse {
        apis: offered(call.session.entrance).map(range).collect(),
        supported_features: vec![SupportedFeature { name: name.into(), version_min, version_max }],
        finalized_features_epoch: 0,
        finalized_features: vec![FinalizedFeature {
            name: name.into(),
            level_max: level,
            level_min: level,
        }],
        ..ApiVersionsResponse::default()
    }
    .into()
}

fn range(api: &super::Api) -> ApiVersionRange {
    ApiVersionRange {
        key: api.key,
        version_min: api.advertised_from,
        version_max: *api.versions.end(),
    }
}

/// A client newer than this broker is told, in the form that every client can read, which versions
/// of this very API there are, and asks again (KIP-511).
pub fn unsupported(correlation: i32) -> Result<Pending, Refusal> {
    let own = APIS.iter().filter(|api| api.key == ApiKey::API_VERSIONS);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        apis: own.map(range).collect(),
        ..ApiVersionsResponse::default()
    };
    let reply: Reply = encode::<ApiVersionsRequest>(response.into(), 0, correlation)?;
    Ok(Pending::Now(reply))
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?` (ApiVersionsRequest.java).
fn is_software(text: &str) -> bool {
    let ends_well = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    ends_well(text.bytes().next()) && ends_well(text.bytes().last()) && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_kafkas() {
        for good in ["librdkafka", "2.12.1", "a", "apache-kafka-java"] {
            assert!(is_software(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "ä"] {
            assert!(!is_software(bad), "{bad}");
        }
    }
}
