//! Every dependency may be used in a program under Apache-2.0 or MIT.

use std::process::Command;

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 15] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];
/// Weak copyleft, file by file, in crates that are used unchanged.
const ALLOWED_UNCHANGED: [&str; 1] = ["MPL-2.0"];

/// Whether an expression of SPDX can be met with the allowed licences alone.
fn is_met(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let allowed = |name: &str| ALLOWED.contains(&name) || ALLOWED_UNCHANGED.contains(&name);
    expression.split(" AND ").all(|part| part.split(" OR ").any(|name| allowed(name.trim())))
}

/// The platform that this is compiled for, as rustc names it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    // Only what is compiled here is fetched here.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages: the metadata is not whole", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_met))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_check_of_licences_refuses_what_it_should() {
    assert!(is_met("MIT OR Apache-2.0") && is_met("MIT/Apache-2.0") && is_met("(MIT OR GPL-3.0) AND ISC"));
    assert!(!is_met("GPL-3.0") && !is_met("MIT AND AGPL-3.0") && !is_met(""));
}
