//! Finding a stream in a tier: its filter, then one block of runs.

use crate::error::Result;

use super::runs_block::TierRun;
use super::tier_file::Tier;

impl Tier {
    /// The runs of a stream in all of the tier's segments, oldest first; none when it has no events there. An error says only
    /// that the tier cannot tell; if that will remain so, it is condemned.
    pub(crate) fn find_stream(&self, name: &str) -> Result<Vec<TierRun>> {
        let found = self.look_for(name);
        if found.as_ref().is_err_and(Self::is_about_content) {
            self.condemn();
        }
        found
    }

    fn look_for(&self, name: &str) -> Result<Vec<TierRun>> {
        if self.filter()?.is_some_and(|filter| !filter.may_hold(name)) {
            return Ok(Vec::new());
        }
        let directory = self.directory()?;
        let Some(index) = directory.streams_index(name) else { return Ok(Vec::new()) };
        Ok(self.runs_block(&directory, index)?.find(name))
    }
}
