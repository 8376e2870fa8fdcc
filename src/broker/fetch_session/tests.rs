use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn key(partition: i32) -> Key {
    Key { topic: TopicKey::Name("t".into()), partition: PartitionId(partition) }
}

fn ask(partition: i32, offset: i64) -> (Key, FetchPartition) {
    let ask = FetchPartition {
        partition: PartitionId(partition),
        fetch_offset: Offset(offset),
        ..FetchPartition::default()
    };
    (key(partition), ask)
}

fn asked(id: i32, epoch: i32, partitions: &[i32]) -> Asked {
    let asks = partitions.iter().map(|partition| ask(*partition, 0)).collect();
    Asked { id, epoch, naming: Naming::Names, asks, forgotten: Vec::new() }
}

fn found(end: i64, news: News) -> Finding {
    let told = Told { high_watermark: Some(Offset(end)), log_start: Some(Offset(0)) };
    Finding { told, news }
}

/// Opens, finds the same everywhere, answers: error, session, partitions told.
fn run(
    sessions: &mut Sessions,
    asked: Asked,
    finding: Finding,
    now: Timestamp,
) -> (ErrorCode, i32, Vec<i32>) {
    match sessions.open(asked, now) {
        Err(error_code) => (error_code, NO_SESSION, Vec::new()),
        Ok((context, wanted)) => {
            let findings = vec![finding; wanted.len()];
            let answer = sessions.answer(&context, &wanted, &findings, now);
            let told = wanted.iter().zip(&answer.included).filter(|(_, included)| **included);
            let told = told.map(|(wanted, _)| wanted.key.partition.get()).collect();
            (answer.error_code, answer.session_id, told)
        }
    }
}

/// Two partitions in a session of their own.
fn two(sessions: &mut Sessions) -> i32 {
    let (error_code, id, told) =
        run(sessions, asked(NO_SESSION, EPOCH_INITIAL, &[0, 1]), found(5, News::None), NOW);
    assert_eq!((error_code, told), (ErrorCode::NONE, vec![0, 1]));
    assert!(NO_SESSION < id);
    id
}

#[test]
fn every_pair_of_id_and_epoch_gets_what_it_gets_from_apache_kafka() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let quiet = found(5, News::None);
    let check = |sessions: &mut Sessions, id, epoch, error_code, told: &[i32]| {
        let said = run(sessions, asked(id, epoch, &[]), quiet, NOW);
        assert_eq!((said.0, said.2.as_slice()), (error_code, told), "{id} {epoch}");
        said.1
    };
    let none = ErrorCode::NONE;
    assert_eq!(check(&mut sessions, id, 1, none, &[]), id);
    assert_eq!(check(&mut sessions, id, 2, none, &[]), id);
    let epoch = ErrorCode::INVALID_FETCH_SESSION_EPOCH;
    assert_eq!(check(&mut sessions, id, 2, epoch, &[]), NO_SESSION);
    check(&mut sessions, id, 9, epoch, &[]);
    check(&mut sessions, id + 1, 3, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, &[]);
    check(&mut sessions, NO_SESSION, 3, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, &[]);
    // The end, asked for; after it there is none.
    assert_eq!(check(&mut sessions, id, EPOCH_FINAL, none, &[]), NO_SESSION);
    check(&mut sessions, id, 3, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, &[]);
    // Without a session everything is told every time.
    let whole = asked(NO_SESSION, EPOCH_FINAL, &[3, 4, 3]);
    assert_eq!(run(&mut sessions, whole, quiet, NOW), (none, NO_SESSION, vec![3, 4]));
    // A new beginning ends the session that it names.
    let id = two(&mut sessions);
    let (_, other, _) = run(&mut sessions, asked(id, EPOCH_INITIAL, &[0]), quiet, NOW);
    assert_ne!(other, id);
    check(&mut sessions, id, 1, ErrorCode::FETCH_SESSION_ID_NOT_FOUND, &[]);
}

#[test]
fn names_and_ids_do_not_mix() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let by_id = Asked { naming: Naming::Ids, ..asked(id, 1, &[]) };
    let said = run(&mut sessions, by_id, found(5, News::None), NOW);
    assert_eq!(said.0, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
}

#[test]
fn only_news_is_told_and_an_error_until_it_is_gone() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let mut epoch = 0;
    let mut check = |finding: Finding, told: &[i32]| {
        epoch += 1;
        let said = run(&mut sessions, asked(id, epoch, &[]), finding, NOW);
        assert_eq!(said, (ErrorCode::NONE, id, told.to_vec()), "{finding:?}");
    };
    check(found(5, News::None), &[]);
    check(found(6, News::None), &[0, 1]);
    check(found(6, News::None), &[]);
    check(found(6, News::Records), &[0, 1]);
    check(found(6, News::Divergence), &[0, 1]);
    check(found(6, News::Error), &[0, 1]);
    check(found(6, News::Error), &[0, 1]);
    check(found(6, News::None), &[0, 1]);
    check(found(6, News::None), &[]);
}

#[test]
fn partitions_come_and_go_and_with_the_last_one_the_session() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let quiet = found(5, News::None);
    assert_eq!(run(&mut sessions, asked(id, 1, &[2]), quiet, NOW).2, [2]);
    let forget = |epoch, partitions: &[i32]| Asked {
        forgotten: partitions.iter().copied().map(key).collect(),
        ..asked(id, epoch, &[])
    };
    assert_eq!(run(&mut sessions, forget(2, &[0, 9]), found(6, News::None), NOW).2, [1, 2]);
    let last = run(&mut sessions, forget(3, &[1, 2]), quiet, NOW);
    assert_eq!(last, (ErrorCode::NONE, NO_SESSION, Vec::new()));
    assert_eq!(
        run(&mut sessions, asked(id, 4, &[]), quiet, NOW).0,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND
    );
}

#[test]
fn who_had_records_is_looked_at_last() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let order = |sessions: &mut Sessions, epoch, news: [News; 2]| {
        let (context, wanted) = sessions.open(asked(id, epoch, &[]), NOW).unwrap();
        let findings = news.map(|news| found(5, news));
        sessions.answer(&context, &wanted, &findings, NOW);
        wanted.iter().map(|wanted| wanted.key.partition.get()).collect::<Vec<_>>()
    };
    assert_eq!(order(&mut sessions, 1, [News::Records, News::None]), [0, 1]);
    assert_eq!(order(&mut sessions, 2, [News::None, News::None]), [1, 0]);
    assert_eq!(order(&mut sessions, 3, [News::Records, News::Records]), [1, 0]);
    assert_eq!(order(&mut sessions, 4, [News::None, News::None]), [1, 0]);
}

#[test]
fn an_answer_that_comes_after_the_next_request_is_an_error() {
    let mut sessions = Sessions::new(10, 7);
    let id = two(&mut sessions);
    let (first, wanted) = sessions.open(asked(id, 1, &[]), NOW).unwrap();
    run(&mut sessions, asked(id, 2, &[]), found(5, News::None), NOW);
    let late = sessions.answer(&first, &wanted, &[found(6, News::None); 2], NOW);
    assert_eq!(late.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!((late.session_id, late.included), (id, vec![false, false]));
}

#[test]
fn a_full_cache_makes_room_as_apaches_does() {
    let begin = |sessions: &mut Sessions, partitions: &[i32], now: Timestamp| {
        run(sessions, asked(NO_SESSION, EPOCH_INITIAL, partitions), found(5, News::None), now).1
    };
    let alive = |sessions: &Sessions, id: i32| sessions.slots.contains_key(&id);
    let later = |ms: i64| Timestamp(NOW.get() + ms);
    // Neither old nor unheard of: nobody goes.
    let mut sessions = Sessions::new(2, 7);
    let (small, large) = (begin(&mut sessions, &[0], NOW), begin(&mut sessions, &[0, 1], NOW));
    assert_eq!(begin(&mut sessions, &[0, 1, 2], later(1)), NO_SESSION);
    // Unheard of for two minutes: the first to be used goes.
    let third = begin(&mut sessions, &[0], later(IDLE_MS_MAX + 1));
    assert!(third != NO_SESSION && sessions.slots.len() == 2);
    assert_eq!(alive(&sessions, small) as u8 + alive(&sessions, large) as u8, 1);
    // In use for two minutes: the smallest goes, for a larger one only.
    let mut sessions = Sessions::new(2, 7);
    let (small, large) = (begin(&mut sessions, &[0], NOW), begin(&mut sessions, &[0, 1], NOW));
    let used = later(IDLE_MS_MAX + 1);
    for id in [small, large] {
        run(&mut sessions, asked(id, 1, &[]), found(5, News::None), used);
    }
    assert_eq!(begin(&mut sessions, &[0], used), NO_SESSION);
    assert_ne!(begin(&mut sessions, &[0, 1], used), NO_SESSION);
    assert!(!alive(&sessions, small) && alive(&sessions, large));
    // No slots, no sessions.
    assert_eq!(begin(&mut Sessions::new(0, 7), &[0], NOW), NO_SESSION);
}

#[test]
fn epochs_begin_again_at_one() {
    assert_eq!(next_epoch(EPOCH_INITIAL), 1);
    assert_eq!(next_epoch(i32::MAX), 1);
}

/// A client that applies answers, against logs that grow, fail and mend: after each answer it knows
/// what a full answer would have said.
#[test]
fn incremental_answers_add_up_to_full_ones() {
    for seed in 0..300u64 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        let mut sessions = Sessions::new(3, seed);
        let mut logs = vec![found(0, News::None); 8];
        let mut known: HashMap<Key, Finding> = HashMap::new();
        let (mut id, mut epoch) = (NO_SESSION, EPOCH_INITIAL);
        for step in 0..60 {
            let log = &mut logs[below(8) as usize];
            let end = log.told.high_watermark.map_or(0, Offset::get) + below(2) as i64;
            log.told.high_watermark = Some(Offset(end));
            log.told.log_start = Some(Offset(below(end as u64 + 1) as i64 / 2));
            log.news = [News::None, News::None, News::Records, News::Divergence, News::Error]
                [below(5) as usize];
            let added: Vec<i32> = (0..8).filter(|_| below(6) == 0).collect();
            let gone: Vec<Key> = match epoch {
                EPOCH_INITIAL => Vec::new(),
                _ => (0..8).filter(|_| below(9) == 0).map(key).collect(),
            };
            for key in &gone {
                known.remove(key);
            }
            let added: Vec<i32> =
                added.into_iter().filter(|partition| !gone.contains(&key(*partition))).collect();
            let request = Asked { forgotten: gone, ..asked(id, epoch, &added) };
            let (context, wanted) = sessions.open(request, NOW).unwrap();
            let full: Vec<Finding> =
                wanted.iter().map(|wanted| logs[wanted.key.partition.get() as usize]).collect();
            let answer = sessions.answer(&context, &wanted, &full, NOW);
            assert_eq!(answer.error_code, ErrorCode::NONE, "seed {seed} step {step}");
            for ((wanted, finding), included) in wanted.iter().zip(&full).zip(&answer.included) {
                match included {
                    true => _ = known.insert(wanted.key.clone(), *finding),
                    false => assert_eq!(finding.news, News::None, "seed {seed} step {step}"),
                }
                let known = known.get(&wanted.key).map(|known| known.told);
                assert_eq!(known, Some(finding.told), "seed {seed} step {step}");
            }
            assert_eq!(known.len(), wanted.len(), "seed {seed} step {step}");
            epoch = if answer.session_id == NO_SESSION { EPOCH_INITIAL } else { next_epoch(epoch) };
            if answer.session_id == NO_SESSION {
                known.clear();
            }
            id = answer.session_id;
        }
    }
}
