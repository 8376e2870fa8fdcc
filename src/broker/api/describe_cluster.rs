//! DescribeCluster (60) v0-2. v1: brokers or controllers (KIP-919); v2: fenced brokers (KIP-1073).
//! Left out: authorized operations, which there are none of without an authorizer.

use super::{Call, Outcome};
use crate::protocol::describe_cluster::{
    ClusterBroker, DescribeClusterRequest, DescribeClusterResponse, EndpointType,
};
use crate::protocol::{ErrorCode, Text};

pub fn handle(
    call: &mut Call<'_>,
    request: DescribeClusterRequest,
) -> Outcome<DescribeClusterResponse> {
    let endpoint_type = request.endpoint_type;
    if endpoint_type != EndpointType::BROKER {
        let (error_code, why) = match endpoint_type {
            EndpointType::CONTROLLER => {
                (ErrorCode::MISMATCHED_ENDPOINT_TYPE, "The request was sent to a broker.")
            }
            _ => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type."),
        };
        return DescribeClusterResponse {
            error_code,
            error_message: Some(Text::from(why)),
            endpoint_type,
            ..DescribeClusterResponse::default()
        }
        .into();
    }
    let node = call.node;
    let brokers = node.nodes(call.session).map(|(broker_id, (host, port))| ClusterBroker {
        broker_id,
        host,
        port,
        rack: None,
        is_fenced: false,
    });
    DescribeClusterResponse {
        cluster_id: node.cluster_id.clone(),
        controller_id: Some(node.id()),
        brokers: brokers.collect(),
        ..DescribeClusterResponse::default()
    }
    .into()
}
