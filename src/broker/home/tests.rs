//! The data directory of a running broker, by what its files say and who may have it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

/// A fresh path, gone with this value.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        Place(temporary_dir().unwrap())
    }

    fn write(self, name: &str, text: &str) -> Place {
        fs::write(self.0.join(name), text).unwrap();
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn won(dir: &Path) -> Home {
    match Home::claim(dir).unwrap() {
        Claim::Won(home) => *home,
        Claim::Held(_) => panic!("nobody else is there"),
    }
}

#[track_caller]
fn check_refused(place: &Place, want: &str) {
    let error = match Home::claim(&place.0) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was let in"),
    };
    let error = error.replace(&place.0.display().to_string(), "DIR");
    assert!(error.contains(want), "{error}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_directory_gets_ids_and_a_door_that_it_keeps() {
    let place = Place::new();
    let dir = place.0.join("a/b");
    let (identity, door) = {
        let mut home = won(&dir);
        home.keep_port(21_300).unwrap();
        (home.identity().clone(), home.door().clone())
    };
    let again = won(&dir);
    assert_eq!(again.identity(), &identity);
    assert_eq!(again.door(), &door);
    assert_eq!(door.port, Some(21_300));
    assert_eq!(identity.node_id, 1);
    assert_eq!(identity.cluster_id.len(), 22);
    assert!(32 <= door.secret.reveal().len());
}

#[test]
fn nobody_else_can_read_it() {
    let place = Place::new();
    let dir = place.0.join("a/b");
    let home = won(&dir);
    home.announce(&notice(std::process::id())).unwrap();
    for name in [".lock", "meta.properties", "door.json", "broker.json"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
}

#[test]
fn a_secret_is_not_shown() {
    let home = Home::temporary().unwrap();
    let secret = home.door().secret.reveal().to_owned();
    assert!(!format!("{home:?} {:?}", home.door()).contains(&secret));
}

#[test]
fn a_temporary_home_is_gone_with_its_value() {
    let home = Home::temporary().unwrap();
    let dir = home.dir().to_owned();
    assert!(dir.join("meta.properties").exists());
    drop(home);
    assert!(!dir.exists());
}

#[test]
fn a_notice_is_believed_only_while_the_lock_is_held() {
    let place = Place::new();
    notice(std::process::id()).save(&place.0).unwrap();
    assert!(matches!(sight(&place.0).unwrap(), Sight::Nobody));
    // Its writer was killed; the next master clears it away before anyone can believe it.
    let home = won(&place.0);
    assert!(!place.0.join("broker.json").exists());
    home.announce(&notice(1)).unwrap();
    drop(home);
    assert!(!place.0.join("broker.json").exists());
}

#[test]
fn a_notice_comes_back_as_it_was_written() {
    let place = Place::new();
    let written = notice(77);
    written.save(&place.0).unwrap();
    assert_eq!(Notice::load(&place.0), Some(written));
    fs::write(place.0.join("broker.json"), "{\"port\":1").unwrap();
    assert_eq!(Notice::load(&place.0), None);
}

#[test]
fn a_place_is_the_machine_and_its_network() {
    let here = Locality::here();
    assert!(here.is_here());
    let rebooted = Locality { boot_id: "another".to_owned(), ..here.clone() };
    assert!(!rebooted.is_here());
    let container = Locality { network: "net:[1]".to_owned(), ..here };
    assert!(!container.is_here());
    assert!(container.describe().contains("namespace"), "{}", container.describe());
}

#[test]
fn settings_come_in_their_order() {
    let text = "# mine\n\ndurability = os\n log.retention.ms:1\nlog.retention.ms=2\n";
    let place = Place::new().write("broker.conf", text);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        won(&place.0).conf().unwrap(),
        [pair("durability", "os"), pair("log.retention.ms", "1"), pair("log.retention.ms", "2")]
    );
    let place = place.write("broker.conf", "a=b\nnonsense\n");
    let error = won(&place.0).conf().unwrap_err().to_string();
    assert!(error.contains("line 2 is not KEY=VALUE"), "{error}");
}

#[test]
fn apaches_properties_are_read() {
    let text = "#\n#Sun Nov 22 01:50:13 UTC 2026\ncluster.id=nUuVJYNQTmSNYZ2M-rtQHw\n\
                directory.id=jFUzXq-VQKKlHsLnmGh9Rg\nnode.id=7\nversion=1\n";
    let place = Place::new().write("meta.properties", text).write("replication-offset-x", "");
    let home = won(&place.0);
    assert_eq!(home.identity().node_id, 7);
    assert_eq!(home.identity().cluster_id, "nUuVJYNQTmSNYZ2M-rtQHw");
    assert_eq!(home.identity().directory_id.to_string(), "jFUzXq-VQKKlHsLnmGh9Rg");
}

#[test]
fn what_is_no_data_directory_is_left_alone() {
    let stranger = Place::new().write("thesis.tex", "");
    check_refused(&stranger, "DIR holds other things (thesis.tex) and no meta.properties");
    let ours = Place::new().write("broker.conf", "").write("broker.log.1", "");
    won(&ours.0);
    let file = Place::new().write("file", "");
    let error = Home::claim(&file.0.join("file")).err().unwrap().to_string();
    assert!(error.contains("/file is not a directory"), "{error}");
    let error = Home::claim(&file.0.join("file/below")).err().unwrap().to_string();
    assert!(error.starts_with("cannot create "), "{error}");
}

#[test]
fn newer_formats_are_refused_with_both_versions() {
    let door = r#"{"format":2,"version":"9.1.0","port":1,"secret":"x"}"#;
    let place = Place::new().write("door.json", door);
    let ours = env!("CARGO_PKG_VERSION");
    check_refused(&place, &format!("written by kaw 9.1.0 in format 2; this is kaw {ours}, which"));
    check_refused(&Place::new().write("meta.properties", "version=2\n"), "in format 2");
    check_refused(&Place::new().write("meta.properties", "version=0\n"), "ZooKeeper");
    check_refused(&Place::new().write("meta.properties", "version=1\n"), "node.id is missing");
}

#[test]
fn a_torn_door_is_made_anew() {
    let place = Place::new().write("door.json", "");
    assert_eq!(won(&place.0).door().port, None);
}

#[test]
fn each_reason_has_its_way_out() {
    let said = |number| {
        let source = io::Error::from_raw_os_error(number);
        Error::io("write", Path::new("broker.json"), source).to_string()
    };
    assert!(said(28).contains("make room there"), "{}", said(28));
    assert!(said(21).contains("move that directory away"), "{}", said(21));
    assert!(!said(13).contains("room") && said(13).contains("KAW_DATA_DIR"), "{}", said(13));
}

#[test]
fn what_was_never_written_takes_nothing_of_the_disk() {
    let place = Place::new();
    let sparse = fs::File::create(place.0.join("00000000000000000000.index")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    fs::write(place.0.join("written"), vec![7; 1 << 20]).unwrap();
    let bytes = bytes_on_disk(&place.0);
    assert!((1 << 20..1 << 24).contains(&bytes), "{bytes}");
}

#[test]
fn reasons_are_words_in_a_sentence() {
    let reason = |number| plain(&io::Error::from_raw_os_error(number));
    assert_eq!(reason(13), "permission denied");
    assert_eq!(reason(28), "no space left on device");
}

fn notice(pid: u32) -> Notice {
    Notice {
        port: 21_301,
        secret: Secret::new("s"),
        pid,
        version: "0.1.0".to_owned(),
        mode: Mode::Automatic,
        place: Locality::here(),
        listeners: vec!["PLAINTEXT://127.0.0.1:9092".to_owned()],
    }
}
