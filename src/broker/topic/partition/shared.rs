//! What all partitions of a topic share.
//! Never knows: the partitions.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::broker::config::TopicConfig;
use crate::broker::topic::transactions::Coordination;
use crate::log;
use crate::record::Uuid;

pub struct TopicCore {
    pub name: Arc<str>,
    pub id: Uuid,
    pub data_dir: Arc<PathBuf>,
    /// Topics that were deleted before the broker began: a crash may have left their directories.
    pub deleted: Arc<HashSet<Uuid>>,
    /// Replaced as a whole when a config changes.
    pub config: RwLock<Arc<TopicConfig>>,
    /// `producer.id.expiration.ms`, of the broker.
    pub producer_expiry_ms: AtomicI64,
    /// Where it says what becomes of transactions.
    pub coordination: Arc<Coordination>,
}

impl TopicCore {
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn log_settings(&self) -> log::Settings {
        let config = self.config();
        let cleanup = match config.compact {
            Some(_) => log::Cleanup::Compact,
            None => log::Cleanup::Delete,
        };
        log::Settings {
            cleanup,
            segment_bytes: config.segment_bytes,
            segment_ms: config.segment_ms,
            index_interval_bytes: config.index_interval_bytes,
            index_bytes_max: config.segment_index_bytes,
            producer_expiry_ms: self.producer_expiry_ms.load(Ordering::Relaxed),
            ..log::Settings::default()
        }
    }
}
