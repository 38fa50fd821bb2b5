//! The order of the pieces of a message that is being sent (RFC 6455 §5.4).

use crate::{error::Misuse, message::Kind, utf8::Utf8};

/// The message that is being sent in pieces, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pieces(Option<(Kind, Utf8)>);

impl Pieces {
    /// Takes the next piece; whether it begins a message. `last` ends it.
    ///
    /// # Errors
    /// [`Misuse::MessageUnfinished`] where `kind` is not that of the message under way, [`Misuse::InvalidUtf8`] where the
    /// text can't go on so. Nothing is taken then.
    pub fn take(&mut self, kind: Kind, piece: &[u8], last: bool) -> Result<bool, Misuse> {
        let mut judge = match self.0 {
            Some((under_way, _)) if under_way != kind => return Err(Misuse::MessageUnfinished),
            Some((_, judge)) => judge,
            None => Utf8::default(),
        };
        if kind == Kind::Text && !(judge.push(piece) && (!last || judge.is_whole())) {
            return Err(Misuse::InvalidUtf8);
        }
        let begins = self.0.is_none();
        self.0 = (!last).then_some((kind, judge));
        Ok(begins)
    }

    /// Whether a whole message may be sent now.
    ///
    /// # Errors
    /// [`Misuse::MessageUnfinished`] in the middle of a message.
    #[inline]
    pub const fn check_whole(&self) -> Result<(), Misuse> {
        if self.0.is_some() { Err(Misuse::MessageUnfinished) } else { Ok(()) }
    }
}
