//! Which version of an API to speak with a broker.
//! Never knows: sockets.

use crate::protocol::Request;
use crate::protocol::api_versions::{ApiVersionRange, ApiVersionsResponse};

/// What a broker offers.
pub struct Versions(Vec<ApiVersionRange>);

impl From<ApiVersionsResponse> for Versions {
    fn from(response: ApiVersionsResponse) -> Self {
        Versions(response.apis)
    }
}

impl Versions {
    /// The newest version that both sides speak, up to this one.
    pub fn common<R: Request>(&self, version_max: i16) -> Option<i16> {
        let offered = self.0.iter().find(|api| api.key == R::KEY)?;
        let version = offered.version_max.min(version_max);
        (offered.version_min.max(*R::VERSIONS.start()) <= version).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ApiKey;
    use crate::protocol::fetch::FetchRequest;

    #[track_caller]
    fn check(offered: (i16, i16), want: Option<i16>) {
        let (version_min, version_max) = offered;
        let range = ApiVersionRange { key: ApiKey::FETCH, version_min, version_max };
        let versions = Versions(vec![range]);
        assert_eq!(versions.common::<FetchRequest>(18), want, "{offered:?}");
        let within = want.map(|version| version.min(12)).filter(|_| version_min <= 12);
        assert_eq!(versions.common::<FetchRequest>(12), within, "{offered:?}");
    }

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        check((4, 18), Some(18));
        check((0, 11), Some(11));
        check((17, 99), Some(18));
        check((0, 3), None);
        check((19, 20), None);
        assert_eq!(Versions(Vec::new()).common::<FetchRequest>(18), None);
    }
}
