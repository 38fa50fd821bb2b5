use crate::Options;
use anyhow::Result;
pub(crate) fn step(_: &Options) -> Result<()> {
    Ok(())
}
