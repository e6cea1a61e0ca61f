//! `cargo xtask demo`: the main job in a lab host, as a user would type it.

pub fn run() -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
