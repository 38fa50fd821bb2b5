//! Between Python's objects and the core's messages.

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes, PyMemoryView, PyString},
};
use tidewire_proto::{Kind, MessageRef, handshake::Fields};

/// How a message is handed to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `str` for text, `bytes` for binary.
    Native,
    /// `bytes`.
    Bytes,
    /// A `memoryview` of `bytes`.
    View,
}

/// The object of a payload that was judged already.
pub(crate) fn object(py: Python<'_>, message: &MessageRef<'_>, form: Form) -> PyResult<Py<PyAny>> {
    Ok(match (form, message.as_text()) {
        (Form::Native, Some(text)) => PyString::new(py, text).into_any(),
        (Form::Native | Form::Bytes, _) => PyBytes::new(py, message.as_bytes()).into_any(),
        (Form::View, _) => PyMemoryView::from(&PyBytes::new(py, message.as_bytes()))?.into_any(),
    }
    .unbind())
}

/// What `decode` makes of a message that came as `str` or `bytes`.
pub(crate) fn decoded(message: Bound<'_, PyAny>, decode: Option<bool>) -> PyResult<Bound<'_, PyAny>> {
    match decode {
        None => Ok(message),
        Some(true) => match message.cast_into::<PyBytes>() {
            Ok(bytes) => match std::str::from_utf8(bytes.as_bytes()) {
                Ok(text) => Ok(PyString::new(bytes.py(), text).into_any()),
                Err(_) => bytes.call_method0("decode"),
            },
            Err(other) => Ok(other.into_inner()),
        },
        Some(false) => match message.cast_into::<PyString>() {
            Ok(text) => Ok(PyBytes::new(text.py(), text.to_cow()?.as_bytes()).into_any()),
            Err(other) => Ok(other.into_inner()),
        },
    }
}

/// Lends a message of Python's to `work`; `None` where it is neither `str` nor bytes-like.
pub(crate) fn lend<R>(
    message: &Bound<'_, PyAny>,
    text: Option<bool>,
    work: impl FnOnce(MessageRef<'_>) -> R,
) -> PyResult<Option<R>> {
    if let Ok(string) = message.cast::<PyString>() {
        let string = string.to_cow()?;
        return Ok(Some(work(match text {
            Some(false) => MessageRef::binary(string.as_bytes()),
            _ => MessageRef::text(&string),
        })));
    }
    if let Ok(bytes) = message.cast::<PyBytes>() {
        return lend_bytes(bytes.as_bytes(), text, work).map(Some);
    }
    if let Ok(array) = message.cast::<PyByteArray>() {
        return lend_bytes(&array.to_vec(), text, work).map(Some);
    }
    // The buffer protocol is not part of the stable ABI before 3.11; a memoryview is.
    let view = match PyMemoryView::from(message) {
        Ok(view) => view,
        Err(error) if error.is_instance_of::<PyTypeError>(message.py()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = view.call_method0("tobytes")?;
    lend_bytes(bytes.cast::<PyBytes>()?.as_bytes(), text, work).map(Some)
}

fn lend_bytes<R>(bytes: &[u8], text: Option<bool>, work: impl FnOnce(MessageRef<'_>) -> R) -> PyResult<R> {
    if text != Some(true) {
        return Ok(work(MessageRef::binary(bytes)));
    }
    match std::str::from_utf8(bytes) {
        Ok(string) => Ok(work(MessageRef::text(string))),
        Err(error) => Err(PyValueError::new_err(format!("a text message must be UTF-8: {error}"))),
    }
}

/// An owned payload and its kind.
pub(crate) fn owned(message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<(Kind, Vec<u8>)> {
    lend(message, text, |message| (message.kind(), message.as_bytes().to_vec()))?.ok_or_else(|| {
        let name = message.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("a message is str or bytes-like, not {name}"))
    })
}

/// Header values are bytes; Python sees them as Latin-1, which loses none.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Header fields for the wire: Latin-1 where that holds them, else UTF-8.
pub(crate) fn fields(pairs: Vec<(String, String)>) -> PyResult<Fields> {
    let mut fields = Fields::new();
    for (name, value) in pairs {
        fields.push(&name, wire(&value)).map_err(|error| PyValueError::new_err(error.to_string()))?;
    }
    Ok(fields)
}

pub(crate) fn wire(text: &str) -> Vec<u8> {
    let latin1: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
    latin1.unwrap_or_else(|_| text.as_bytes().to_vec())
}

pub(crate) fn pairs(fields: &Fields) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| (name.to_owned(), latin1(value))).collect()
}
