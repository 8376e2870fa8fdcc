//! Status (32000) v0 and Leave (32001) v0: kaw's own, on the door alone.
//! Left out: nothing.

use std::sync::atomic::Ordering;

use super::{Call, Outcome, text};
use crate::broker::node::Node;
use crate::broker::session::Guest;
use crate::broker::topic::names;
use crate::broker::{Durability, Troubles};
use crate::protocol::private::{
    LeaveRequest, LeaveResponse, StatusClient, StatusListener, StatusRequest, StatusResponse,
};

pub fn status(call: &mut Call<'_>, _: StatusRequest) -> Outcome<StatusResponse> {
    let node = call.node;
    // Kafka's own are nothing that a user made.
    let mut topics = node.topics.all();
    topics.retain(|topic| !names::is_internal(topic.name()));
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let troubles = Troubles::so_far();
    let (trouble_at, trouble) = troubles.last.unzip();
    let linger_ms = node.linger.map_or(-1, |linger| linger.as_millis() as i64);
    StatusResponse {
        version: text(env!("CARGO_PKG_VERSION")),
        pid: count(std::process::id() as usize),
        started_at: node.started_at,
        cluster_id: node.cluster_id.clone(),
        data_dir: text(node.topics.data_dir.to_string_lossy()),
        is_ephemeral: node.is_ephemeral,
        durability: text(match node.durability() {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
        }),
        linger_ms,
        is_leaving: node.handle.is_leaving(),
        listeners: listeners(node),
        topic_count: count(topics.len()),
        partition_count: count(partitions.count()),
        bytes: i64::try_from(tokio::task::block_in_place(|| node.topics.bytes_on_disk()))
            .unwrap_or(i64::MAX),
        bytes_free: bytes_free(node),
        bytes_resident: bytes_resident(),
        clients: node.guests.all().iter().map(|guest| client(guest)).collect(),
        trouble_count: i64::try_from(troubles.count).unwrap_or(i64::MAX),
        trouble: trouble.map(text),
        trouble_at: trouble_at.unwrap_or_default(),
        ..StatusResponse::default()
    }
    .into()
}

fn listeners(node: &Node) -> Vec<StatusListener> {
    let public = node.listeners().into_iter().map(|(host, port)| StatusListener {
        name: text("PLAINTEXT"),
        address: text(format!("{host}:{port}")),
        security_protocol: text("PLAINTEXT"),
    });
    let door = node.door_port().map(|port| StatusListener {
        name: text("DOOR"),
        address: text(format!("127.0.0.1:{port}")),
        security_protocol: text("SASL_PLAINTEXT"),
    });
    public.chain(door).collect()
}

fn client(guest: &Guest) -> StatusClient {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let told = guest.told();
    StatusClient {
        address: text(guest.peer.to_string()),
        client_id: text(told.client_id),
        software: text(told.software),
        listener: text(guest.listener),
        connected_at: guest.connected_at,
        request_count: count(guest.requests()),
        bytes_in: count(guest.bytes_in.load(Ordering::Relaxed)),
        bytes_out: count(guest.bytes_out.load(Ordering::Relaxed)),
    }
}

fn bytes_free(node: &Node) -> i64 {
    let free = rustix::fs::statvfs(node.topics.data_dir.as_path());
    let free = free.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    i64::try_from(free).unwrap_or(i64::MAX)
}

/// From /proc; 0 where there is none.
fn bytes_resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<i64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

pub fn leave(call: &mut Call<'_>, request: LeaveRequest) -> Outcome<LeaveResponse> {
    tracing::info!(reason = %request.reason, "asked to leave");
    call.node.handle.leave();
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    LeaveResponse { pid, ..LeaveResponse::default() }.into()
}
