//! Damage to files, as accidents and attackers do it.

use quaver_verify::Random;

/// Lengths and counts that ask for too much, in the encodings of the formats that are read.
const LARGE: [&[u8]; 8] = [
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"\xff\xff\xff\x7f",
    b"9223372036854775807",
    b"99999999999999999999",
    b"1e999",
];

/// A copy of a file with up to four damages: cut off, bits or bytes changed, pieces removed, repeated
/// or moved, numbers replaced by large ones.
pub fn mutate(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=random.below(4) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let room = bytes.len() - at;
    let piece = at..at + random.below(room.min(64) + 1);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 if room > 0 => bytes[at] ^= 1 << random.below(8),
        2 if room > 0 => bytes[at] = random.bits32() as u8,
        3 => {
            let large = random.pick(&LARGE);
            let end = (at + random.below(large.len())).min(bytes.len());
            bytes.splice(at..end, large.iter().copied());
        }
        4 => {
            bytes.drain(piece);
        }
        5 => {
            // Many times over, as nests and lists grow.
            let piece = bytes[piece].repeat(1 << random.below(8));
            bytes.splice(at..at, piece);
        }
        6 => {
            let to = random.below(bytes.len() + 1);
            let piece = bytes[piece].to_vec();
            bytes.splice(to..to, piece);
        }
        _ if room > 0 => {
            // A length that is one too long or too short.
            let step = random.pick(&[1, u8::MAX]);
            bytes[at] = bytes[at].wrapping_add(step);
        }
        _ => {}
    }
}
