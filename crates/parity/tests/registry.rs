//! Every fixture that the crate carries is run, and none is registered twice. Computations without weights agree.

use std::collections::BTreeSet;
use std::path::Path;

use realscope_parity::cases::CASES;
use realscope_parity::fixture::Fixture;
use realscope_parity::networks::NETWORKS;
use realscope_parity::run::TOLERANCE;

#[test]
fn every_fixture_has_its_network_or_computation() {
    let networks = NETWORKS.iter().map(|(name, _)| *name);
    let names: BTreeSet<&str> = networks
        .chain(CASES.iter().map(|(name, _)| *name))
        .collect();
    assert_eq!(names.len(), NETWORKS.len() + CASES.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|s| s.to_str()).expect("a name");
        assert!(names.contains(stem), "{stem}");
    }
}

#[test]
fn every_case_agrees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (name, check) in CASES {
        let fixture = Fixture::read(&folder.join(format!("{name}.json"))).expect("a fixture");
        assert!(!fixture.cases.is_empty(), "{name}");
        for (i, case) in fixture.cases.iter().enumerate() {
            let worst = check(case).unwrap_or_else(|e| panic!("{name}, case {i}: {e}"));
            assert!(worst <= TOLERANCE, "{name}, case {i}: {worst:e}");
        }
    }
}
