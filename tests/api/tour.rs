//! The README's tour, every line of it, against the binary.

use std::process::Command;

use crate::support::{Place, Process, both_engines};

both_engines![every_line_of_the_tour_works];

/// What stands in the `sh` blocks between the README's tour markers.
fn tour() -> String {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- tour -->").expect("where the tour begins");
    let (tour, _) = rest.split_once("<!-- /tour -->").expect("where the tour ends");
    let blocks = tour.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().expect("the end of the block"))
        .collect()
}

async fn every_line_of_the_tour_works(place: Place) {
    // As whoever follows the tour has it.
    let process = Process::start(&place, &[("RATE_LIMITS", "on")]).await;
    let tour = tour();
    assert!(tour.lines().filter(|line| line.contains("curl")).count() >= 7, "{tour}");
    // The README's reader has Vestibule on its usual port. A curl that shows a refusal is a tour that went wrong.
    let script = format!(
        "set -eu\ncurl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{}",
        tour.replace("localhost:8000", &format!("localhost:{}", process.address().port()))
    );
    let directory = place.directory().to_owned();
    let run = move || {
        Command::new("bash")
            .args(["-xc", &script])
            .current_dir(directory)
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().expect("bash runs");
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{shown}");
    for answer in [
        "user created",
        "access_token",
        "logged out",
        "Password changed successfully",
    ] {
        assert!(shown.contains(answer), "no {answer} in {shown}");
    }
}
