//! Migrations are compiled into the binary; without this a new one would not trigger a build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
