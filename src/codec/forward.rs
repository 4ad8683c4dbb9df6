//! The lists of serde's plain methods, for the adapters that pass them on: each adapter then shows only what it changes.

/// Calls `$callback!` with every `Serializer` method that takes one plain value.
macro_rules! serializer_scalars {
    ($callback:ident) => {
        $callback! {
            serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
            serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
            serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char,
            serialize_str: &str, serialize_bytes: &[u8],
        }
    };
}

/// Calls `$callback!` with every `Visitor` method that takes one plain value.
macro_rules! visitor_scalars {
    ($callback:ident) => {
        $callback! {
            visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128,
            visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64, visit_u128: u128, visit_f32: f32,
            visit_f64: f64, visit_char: char, visit_str: &str, visit_borrowed_str: &'de str, visit_string: String,
            visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
        }
    };
}

/// `Serializer` methods that hand a plain value to `self.inner`.
macro_rules! serialize_with_inner {
    ($($method:ident: $value:ty),* $(,)?) => {
        $(fn $method(self, value: $value) -> Result<Self::Ok, Self::Error> {
            self.inner.$method(value)
        })*
    };
}

/// `Visitor` methods that hand a plain value to `self.inner`.
macro_rules! visit_with_inner {
    ($($method:ident: $value:ty),* $(,)?) => {
        $(fn $method<Error: serde::de::Error>(self, value: $value) -> Result<Self::Value, Error> {
            self.inner.$method(value)
        })*
    };
}

pub(super) use {serialize_with_inner, serializer_scalars, visit_with_inner, visitor_scalars};
