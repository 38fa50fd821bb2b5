//! A decoder of DEFLATE (RFC 1951) that is slow and plain, and says how far back the matches reach.

const LENGTHS: [(usize, usize); 29] = {
    let mut table = [(0, 0); 29];
    let (mut code, mut base) = (0, 3);
    while code < 28 {
        let extra = if code < 8 { 0 } else { (code - 4) / 4 };
        table[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    table[28] = (258, 0);
    table
};

const DISTANCES: [(usize, usize); 30] = {
    let mut table = [(0, 0); 30];
    let (mut code, mut base) = (0, 1);
    while code < 30 {
        let extra = if code < 4 { 0 } else { (code - 2) / 2 };
        table[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    table
};

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for bit in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// Symbols in the order of their codes, and how many codes there are of each length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// `None` if the lengths are no complete code; a lone or missing distance code is let through, as zlib does.
    fn new(lengths: &[usize], distances: bool) -> Option<Self> {
        let mut counts = [0; 16];
        for &length in lengths {
            counts[length] += 1;
        }
        counts[0] = 0;
        let mut left = 1i32;
        for count in &counts[1..] {
            left = left * 2 - i32::try_from(*count).ok()?;
            if left < 0 {
                return None;
            }
        }
        let used: usize = counts.iter().sum();
        if left > 0 && !(distances && (used == 0 || used == 1 && counts[1] == 1)) {
            return None;
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|&symbol| lengths[symbol] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[symbol]);
        Some(Self { counts, symbols })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return Some(self.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Appends the message to `history` and returns the largest distance. Panics if it is none.
pub(crate) fn inflate(compressed: &[u8], history: &mut Vec<u8>) -> usize {
    try_inflate(compressed, history).expect("a message")
}

/// The same, `None` for what is no message.
pub(crate) fn try_inflate(compressed: &[u8], history: &mut Vec<u8>) -> Option<usize> {
    let mut reach = 0;
    let tailed = [compressed, &[0, 0, 0xff, 0xff]].concat();
    let mut bits = Bits { bytes: &tailed, at: 0 };
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align();
                let (length, complement) = (bits.take(16)?, bits.take(16)?);
                if length ^ complement != 0xffff {
                    return None;
                }
                for _ in 0..length {
                    history.push(u8::try_from(bits.take(8)?).ok()?);
                }
            }
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                let codes = (Code::new(&lengths, false)?, Code::new(&[5; 32], true)?);
                reach = reach.max(block(&mut bits, &codes, history)?);
            }
            2 => {
                let codes = dynamic(&mut bits)?;
                reach = reach.max(block(&mut bits, &codes, history)?);
            }
            _ => return None,
        }
        if last {
            bits.align();
            if bits.at == compressed.len() * 8 {
                return Some(reach);
            }
        }
        if bits.at == tailed.len() * 8 {
            return Some(reach);
        }
    }
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, own) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut lengths = [0; 19];
    for &at in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].iter().take(own) {
        lengths[at] = bits.take(3)?;
    }
    let code = Code::new(&lengths, false)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return None;
    }
    Some((Code::new(&lengths[..literals], false)?, Code::new(&lengths[literals..], true)?))
}

fn block(bits: &mut Bits<'_>, (literals, distances): &(Code, Code), history: &mut Vec<u8>) -> Option<usize> {
    let mut reach = 0;
    loop {
        match literals.read(bits)? {
            256 => return Some(reach),
            literal @ 0..256 => history.push(u8::try_from(literal).ok()?),
            symbol => {
                let &(base, extra) = LENGTHS.get(symbol - 257)?;
                let length = base + bits.take(extra)?;
                let &(base, extra) = DISTANCES.get(distances.read(bits)?)?;
                let distance = base + bits.take(extra)?;
                reach = reach.max(distance);
                for _ in 0..length {
                    history.push(history[history.len().checked_sub(distance)?]);
                }
            }
        }
    }
}

/// A message of one block in the fixed codes: `literals` (below 144), then a match of 3 bytes at `distance`.
pub(crate) fn literals_then_match(literals: &[u8], distance: usize) -> Vec<u8> {
    let mut bits = vec![0, 1, 0];
    let mut code = |value: usize, count: usize| bits.extend((0..count).rev().map(|bit| value >> bit & 1));
    for &literal in literals {
        code(0x30 + usize::from(literal), 8);
    }
    code(1, 7);
    let symbol = DISTANCES.iter().rposition(|&(base, _)| base <= distance).expect("1 to 32768");
    code(symbol, 5);
    let (base, extra) = DISTANCES[symbol];
    bits.extend((0..extra).map(|bit| (distance - base) >> bit & 1));
    bits.extend([0; 7]);
    bits.extend([0; 3]);
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().map(|(at, &bit)| u8::from(bit == 1) << at).sum())
        .collect()
}
