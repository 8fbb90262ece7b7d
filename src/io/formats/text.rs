//! Encodings of text files.

/// How a text file's bytes stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark. Anything else in the file is an error.
    #[default]
    Utf8,
    /// ISO 8859-1: every byte is the character of that number.
    Latin1,
}

impl Encoding {
    /// Bytes of a character; `None` where the encoding lacks it.
    pub(super) fn encode(self, character: char) -> Option<Vec<u8>> {
        match self {
            Self::Utf8 => Some(character.to_string().into_bytes()),
            Self::Latin1 => u8::try_from(u32::from(character)).ok().map(|byte| vec![byte]),
        }
    }

    /// The text of the bytes, made in `buffer` where it must be made; `None` if they are not valid.
    pub(super) fn decode<'a>(self, bytes: &'a [u8], buffer: &'a mut String) -> Option<&'a str> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok(),
            Self::Latin1 => {
                buffer.clear();
                buffer.extend(bytes.iter().copied().map(char::from));
                Some(buffer)
            }
        }
    }
}
