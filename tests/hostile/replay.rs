//! What fuzzing found: every file of `fuzz/corpus`, read by its target as the fuzzer reads it.

use std::collections::BTreeSet;

use quaver_fuzz::TARGETS;
use quaver_tests::root;

#[test]
fn inputs_of_every_target_keep_their_promise() {
    let corpus = root().join("fuzz/corpus");
    for target in TARGETS {
        let (mut files, mut good) = (0, 0);
        for file in corpus.join(target.name).read_dir().unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            good += u32::from(target.hold(&path.display().to_string(), &bytes));
            files += 1;
        }
        println!("{}: {files} inputs, {good} good", target.name);
        assert!(
            good > 0 && good < files,
            "{}: good and bad ones",
            target.name
        );
    }
}

#[test]
fn targets_have_a_corpus_and_a_program() {
    let expected: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    for (folder, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let entries = root().join("fuzz").join(folder).read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.map(|name| name.strip_suffix(suffix).unwrap_or(&name).to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), expected, "{folder}");
    }
}
