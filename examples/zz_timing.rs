use backmask::arrow::array::*;
use backmask::arrow::compute::cast;
use backmask::arrow::datatypes::DataType;
use backmask::keys::Key;
use backmask::pipeline::{Kernel, apply_encoded};
use backmask::policy::{PseudonymMethod as M, TokenFormat as F};
use backmask::pseudonym::Pseudonymizer;
use std::hint::black_box;
fn cpu() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap()
}
fn words(rows: u64) -> impl Iterator<Item = u64> {
    (0..rows).map(|row| {
        let w = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (w ^ (w >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    })
}
fn time(name: &str, rows: usize, mut f: impl FnMut()) {
    let only = std::env::args().nth(1).unwrap_or_default();
    if !name.contains(&only) {
        return;
    }
    let mut best = u64::MAX;
    let mut all = vec![];
    for _ in 0..9 {
        let s = cpu();
        f();
        let t = cpu() - s;
        best = best.min(t);
        all.push(t);
    }
    all.sort();
    println!("{name:45} best {:8.2} M/s  median {:8.2} M/s", rows as f64 * 1e3 / best as f64, rows as f64 * 1e3 / all[4] as f64);
}
fn main() {
    let n = 1_000_000u64;
    let rows = n as usize;
    let texts = StringArray::from_iter_values(words(n).map(|w| format!("listener-{:013}", w >> 24)));
    let long = StringArray::from_iter_values(words(n).map(|w| {
        let t = format!("{w:016x}{:016x}", w.wrapping_mul(0x94d0_49bb_1331_11eb));
        format!("{}-{}-{}-{}-{}", &t[..8], &t[8..12], &t[12..16], &t[16..20], &t[20..])
    }));
    let ints: Int64Array = words(n).map(|w| w as i64).collect::<Vec<_>>().into();
    let digits = StringArray::from_iter_values(words(n).map(|w| format!("{:012}", w % 1_000_000_000_000)));
    let people = StringArray::from_iter_values(words(n).map(|w| format!("listener-{:013}", (w >> 20) % 20_000)));
    let people10 = StringArray::from_iter_values(words(10 * n).map(|w| format!("listener-{:013}", (w >> 20) % 20_000)));
    let dict = cast(&people, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap();
    let dict10 = cast(&people10, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap();
    let of = |m| Pseudonymizer::new(m, Key::from_bytes([7; 32])).unwrap();
    let k = [7u8; 32];
    time("loop blake3::keyed_hash 23 bytes", rows, || {
        let mut b = vec![1u8];
        let mut x = 0u8;
        for v in texts.iter().flatten() {
            b.truncate(1);
            b.extend_from_slice(v.as_bytes());
            x ^= blake3::keyed_hash(&k, &b).as_bytes()[0];
        }
        black_box(x);
    });
    for (name, m) in [("blake3", M::Blake3), ("hmac", M::HmacSha256)] {
        let t = of(m);
        time(&format!("{name} text 22"), rows, || {
            black_box(t.apply(&texts).unwrap());
        });
        time(&format!("{name} text 36"), rows, || {
            black_box(t.apply(&long).unwrap());
        });
        time(&format!("{name} ints"), rows, || {
            black_box(t.apply(&ints).unwrap());
        });
        time(&format!("{name} raw"), rows, || {
            black_box(t.tokens(&texts).unwrap());
        });
        let t32 = of(m).with_format(F::Base32).unwrap();
        time(&format!("{name} text 22 base32"), rows, || {
            black_box(t32.apply(&texts).unwrap());
        });
        time(&format!("{name} 20k people"), rows, || {
            black_box(t.apply(&people).unwrap());
        });
        time(&format!("{name} 20k people 10M"), rows * 10, || {
            black_box(t.apply(&people10).unwrap());
        });
        time(&format!("{name} dict unpacked"), rows, || {
            black_box(t.apply(&dict).unwrap());
        });
        time(&format!("{name} dict kept"), rows, || {
            black_box(apply_encoded(&t, &dict).unwrap());
        });
        time(&format!("{name} dict kept 10M"), rows * 10, || {
            black_box(apply_encoded(&t, &dict10).unwrap());
        });
    }
    let t = of(M::AesSiv);
    time("siv text 22", rows, || {
        black_box(t.apply(&texts).unwrap());
    });
    time("siv text 36", rows, || {
        black_box(t.apply(&long).unwrap());
    });
    time("siv ints", rows, || {
        black_box(t.apply(&ints).unwrap());
    });
    time("siv people", rows, || {
        black_box(t.apply(&people).unwrap());
    });
    let tb = of(M::AesSiv).with_format(F::Binary).unwrap();
    time("siv text 22 binary", rows, || {
        black_box(tb.apply(&texts).unwrap());
    });
    let rel = t.apply(&texts).unwrap();
    time("siv text 22 back", rows, || {
        black_box(t.reverse(&rel, None).unwrap());
    });
    let tb = of(M::AesBlock).with_format(F::Binary).unwrap();
    time("block ints binary", rows, || {
        black_box(tb.apply(&ints).unwrap());
    });
    let t = of(M::AesBlock);
    time("block ints hex", rows, || {
        black_box(t.apply(&ints).unwrap());
    });
    time("block uuid text", rows, || {
        black_box(t.apply(&long).unwrap());
    });
    let t = of(M::Ff1);
    time("ff1 12 digits", rows, || {
        black_box(t.apply(&digits).unwrap());
    });
    time("ff1 ints", rows, || {
        black_box(t.apply(&ints).unwrap());
    });
}
