//! What librdkafka tells beside its errors: why a certificate was not taken, that a broker hung up.
//! Never knows: who is trusted; OpenSSL has decided when this is asked.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::nid::Nid;
use openssl::x509::{X509, X509NameRef, X509VerifyResult};
use rdkafka_sys as rd;

/// What was heard last.
#[derive(Default)]
pub struct Heard {
    /// The certificate that was not taken, in words.
    distrust: Mutex<Option<String>>,
    hang_up: AtomicBool,
}

impl Heard {
    pub fn distrust(&self) -> Option<String> {
        self.distrust.lock().expect("no holder panics").clone()
    }

    /// Whether a broker closed a connection. librdkafka has an error for that only where it was
    /// surprised in the middle of something; else it logs a line.
    pub fn hang_up(&self) -> bool {
        self.hang_up.load(Ordering::Relaxed)
    }

    /// Has the client say these things to this.
    ///
    /// # Safety
    /// `conf` must be alive, and `self` must outlive the client that it becomes.
    pub unsafe fn listen(&self, conf: *mut rd::rd_kafka_conf_t) {
        let slot = std::ptr::from_ref(self).cast::<c_void>().cast_mut();
        // SAFETY: it is the caller's promise that both are alive for as long as they are used; the
        // slot is only ever read as a shared reference.
        unsafe {
            rd::rd_kafka_conf_set_opaque(conf, slot);
            rd::rd_kafka_conf_set_ssl_cert_verify_cb(conf, Some(verified));
        }
    }
}

/// Takes from a line of the log what there is no error for.
///
/// # Safety
/// `client` must be null or a client whose configuration `listen` was called for, `text` a text.
pub unsafe fn logged(client: *const rd::rd_kafka_t, text: *const c_char) {
    if client.is_null() || text.is_null() {
        return;
    }
    // SAFETY: as the caller promises; the opaque value is what `listen` set.
    let (slot, text) = unsafe {
        let slot = rd::rd_kafka_opaque(client).cast::<Heard>();
        (slot.as_ref(), CStr::from_ptr(text).to_bytes())
    };
    let said = b": Disconnected: ";
    if let Some(slot) = slot.filter(|_| text.windows(said.len()).any(|part| part == said)) {
        slot.hang_up.store(true, Ordering::Relaxed);
    }
}

/// Called for each certificate of a chain with OpenSSL's verdict, which it leaves as it is.
unsafe extern "C" fn verified(
    _client: *mut rd::rd_kafka_t,
    _broker: *const c_char,
    _id: i32,
    verdict: *mut c_int,
    _depth: c_int,
    der: *const c_char,
    size: usize,
    _why: *mut c_char,
    _why_size: usize,
    slot: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka passes a verdict of its own, a certificate as long as it says, and what
    // `listen` gave it, which is alive while the client is.
    let (code, der, slot) = unsafe {
        let der = std::slice::from_raw_parts(der.cast::<u8>(), size);
        (*verdict, der, &*slot.cast::<Heard>())
    };
    if code == 0 {
        return 1;
    }
    // A panic must not cross into C: without a lock there is no reason to tell.
    if let Ok(mut why) = slot.distrust.lock() {
        *why = Some(reason(code, der));
    }
    0
}

/// OpenSSL's codes (openssl/x509_vfy.h).
const NOT_YET_VALID: c_int = 9;
const EXPIRED: c_int = 10;
const OTHER_NAME: [c_int; 2] = [62, 64];
const UNKNOWN_ISSUER: [c_int; 5] = [2, 18, 19, 20, 21];
/// A certificate may have any number of names.
const NAMES_MAX: usize = 4;

fn reason(code: c_int, der: &[u8]) -> String {
    let Ok(certificate) = X509::from_der(der) else { return "its certificate is broken".into() };
    let whose = name(certificate.subject_name());
    match code {
        EXPIRED => {
            let end = certificate.not_after();
            format!("its certificate ({whose}) expired on {end}; the broker needs a new one")
        }
        NOT_YET_VALID => {
            let start = certificate.not_before();
            format!("its certificate ({whose}) begins on {start}; look at this machine's clock")
        }
        code if OTHER_NAME.contains(&code) => format!(
            "its certificate is for {}; use that name, or pass \
             -X ssl.endpoint.identification.algorithm=none",
            names(&certificate).unwrap_or(whose)
        ),
        code if UNKNOWN_ISSUER.contains(&code) => format!(
            "its certificate is from an authority that is not trusted ({}); \
             pass -X ssl.ca.location=FILE with the certificate of that authority",
            name(certificate.issuer_name())
        ),
        code => {
            // SAFETY: it only keeps the number, and OpenSSL has a text for any.
            let verdict = unsafe { X509VerifyResult::from_raw(code) };
            format!("its certificate ({whose}) was not taken: {}", verdict.error_string())
        }
    }
}

fn name(name: &X509NameRef) -> String {
    let own = name.entries_by_nid(Nid::COMMONNAME).next().or_else(|| name.entries().next());
    let text = own.and_then(|entry| entry.data().to_string().ok());
    text.unwrap_or_else(|| "without a name".to_owned())
}

/// The hosts that it is for.
fn names(certificate: &X509) -> Option<String> {
    let all = certificate.subject_alt_names()?;
    let name = |name: &openssl::x509::GeneralNameRef| match name.ipaddress() {
        Some(&[a, b, c, d]) => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
        Some(bytes) => {
            Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string())
        }
        None => name.dnsname().map(str::to_owned),
    };
    let names: Vec<String> = all.iter().filter_map(name).take(NAMES_MAX).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
