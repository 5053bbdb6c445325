//! `penning openapi`: writes the documents of the API for programs.

use crate::output::Out;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Write the OpenAPI and OpenRPC documents of all servers
///
/// They are generated from the types of this version. In the repository: `penning openapi --out priv/openapi`
#[derive(Args)]
pub(crate) struct OpenapiArgs {
    /// Folder for the files; made if it is missing
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl OpenapiArgs {
    /// Writes them all, or says which one cannot be written.
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("{} cannot be made", self.out.display()))?;
        for document in plasma_rpc::documents::all()? {
            let path = self.out.join(&document.file);
            std::fs::write(&path, document.text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Out::new(false).tell(path.display().to_string());
        }
        Ok(())
    }
}
