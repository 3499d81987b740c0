//! The command line as a person would type it again.

/// `task` with this program's options, without the paths and the day that only xtask passes.
pub fn line(task: &str) -> String {
    let mut words = vec![task.to_owned()];
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--binaries" | "--output" | "--date" => drop(arguments.next()),
            word if ["--binaries=", "--output=", "--date="].iter().any(|option| word.starts_with(option)) => {}
            _ => words.push(word),
        }
    }
    words.join(" ")
}
