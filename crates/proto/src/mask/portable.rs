//! The safe loops; compiled once more per instruction set by `dispatch`.

/// XOR for payloads of a few words.
#[inline]
pub(super) fn xor_short(payload: &mut [u8], key: u32) {
    let wide = u64::from(key) << 32 | u64::from(key);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let bytes: &mut [u8; 8] = word.try_into().expect("a chunk of eight");
        *bytes = (u64::from_ne_bytes(*bytes) ^ wide).to_ne_bytes();
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.to_ne_bytes().into_iter().cycle()) {
        *byte ^= key;
    }
}

/// XOR in blocks that the compiler turns into vector instructions.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the functions that enable instruction sets")]
pub(super) fn xor(payload: &mut [u8], key: u32) {
    const BLOCK: usize = 64;
    let wide = u64::from(key) << 32 | u64::from(key);
    let mut blocks = payload.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        let (words, _) = block.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    xor_short(blocks.into_remainder(), key);
}
