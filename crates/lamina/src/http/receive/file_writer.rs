//! Chunks of a body to a file, in blocks, so that writing costs few calls and little memory. The
//! write happens off the async threads; whoever goes away in the middle of one leaves it to finish,
//! and what was given to the writer is held until then.
//!
//! Invariant: it holds at most one block and one chunk, and no block that the budget of all bodies
//! does not have: then every chunk is written as it comes.

use std::io::{self, Write};

use tokio::task::spawn_blocking;

use crate::http::state::body_budget::{BodyBudget, Held};

/// Bytes that are written at once.
const BLOCK: usize = 64 << 10;

/// Writes to `W`, which stands for a file.
#[derive(Debug)]
pub(in crate::http) struct FileWriter<W> {
    /// Absent while it is being written to.
    to: Option<W>,
    block: Vec<u8>,
    /// Of the budget, for the block.
    share: Option<Held>,
}

impl<W: Write + Send + 'static> FileWriter<W> {
    pub(in crate::http) fn new(to: W, budget: &BodyBudget) -> Self {
        Self {
            to: Some(to),
            block: Vec::new(),
            share: budget.hold(BLOCK),
        }
    }

    /// Takes the next bytes. After an error nothing more can be written.
    pub(in crate::http) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.block.extend_from_slice(chunk);
        if self.block.len() >= BLOCK || self.share.is_none() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what is left and gives the file back.
    pub(in crate::http) async fn finish(mut self) -> io::Result<W> {
        self.flush().await?;
        self.to.ok_or_else(broken)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut to = self.to.take().ok_or_else(broken)?;
        let mut block = std::mem::take(&mut self.block);
        let keep = self.share.is_some();
        let (to, block) = spawn_blocking(move || {
            to.write_all(&block)?;
            if keep {
                block.clear();
            } else {
                block = Vec::new();
            }
            io::Result::Ok((to, block))
        })
        .await
        .map_err(io::Error::other)??;
        (self.to, self.block) = (Some(to), block);
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::other("a write failed before")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out_in_order() {
        for (bytes, most) in [(BLOCK as u64, BLOCK), (BLOCK as u64 - 1, 1)] {
            let budget = BodyBudget::new(bytes);
            let mut writer = FileWriter::new(tempfile::tempfile().unwrap(), &budget);
            let mut whole = Vec::new();
            for number in 0..50_u8 {
                let chunk = vec![number; 7000];
                whole.extend_from_slice(&chunk);
                writer.write(&chunk).await.unwrap();
                assert!(writer.block.len() < most);
            }
            let mut file = writer.finish().await.unwrap();
            file.rewind().unwrap();
            let mut read = Vec::new();
            file.read_to_end(&mut read).unwrap();
            assert!(read == whole);
            assert_eq!(budget.left() as u64, bytes);
        }
    }

    #[tokio::test]
    async fn a_file_that_fails_once_takes_nothing_more() {
        #[derive(Debug)]
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = FileWriter::new(Full, &BodyBudget::new(1 << 20));
        let block = vec![0; BLOCK];
        let error = writer.write(&block).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(writer.write(&block).await.is_err());
        assert!(writer.finish().await.is_err());
    }
}
