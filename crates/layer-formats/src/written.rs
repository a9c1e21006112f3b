//! Numbers as they stand in a PSD.

use std::io::{self, Write};

use super::psd::Form;

/// A file that is being written, big-endian.
pub(crate) struct Written<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Written<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn u16(&mut self, value: u16) -> io::Result<()> {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> io::Result<()> {
        self.bytes(&value.to_be_bytes())
    }

    /// A length that PSB has wider than PSD.
    pub(crate) fn length(&mut self, value: u64, form: Form) -> io::Result<()> {
        match form {
            Form::Psb => self.bytes(&value.to_be_bytes()),
            Form::Psd => {
                let value = u32::try_from(value).map_err(|_| io::ErrorKind::FileTooLarge)?;
                self.u32(value)
            }
        }
    }
}
