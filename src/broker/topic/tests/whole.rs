//! Logs that are read from end to end.

use super::*;

#[test]
fn no_damage_is_passed_over_wherever_it_lies() {
    for nth in 0..3 {
        let place = Place::new();
        let topics = place.open();
        create(&topics, "t");
        (0..3).for_each(|_| _ = append(&topics, "t"));
        topics.close().unwrap();
        let path = place.dir("t-0").join("00000000000000000000.log");
        let mut bytes = fs::read(&path).unwrap();
        let size = bytes.len() / 3;
        bytes[nth * size + 62] ^= 1;
        fs::write(&path, bytes).unwrap();
        let topics = place.open();
        let read = topics.get("t").unwrap().partitions[0].each_batch(|_| Ok(()));
        let error = read.unwrap_err();
        assert!(error.contains("0.log: byte ") && error.contains("CRC mismatch"), "{nth}: {error}");
    }
}
