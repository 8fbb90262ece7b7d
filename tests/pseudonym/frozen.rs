//! Tokens that must never change, computed by independent implementations: HKDF, HMAC, the canonical encodings, the padding and FF1 written out in Python, AES and AES-SIV of OpenSSL.

use super::keyed;
use backmask::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Int8Array, Int32Array, Int64Array, StringArray,
    UInt32Array, UInt64Array,
};
use backmask::arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use backmask::keys::Key;
use backmask::pipeline::Kernel;
use backmask::policy::{PseudonymMethod, Scope, TokenFormat};
use backmask::pseudonym::{Alphabet, PseudonymDomain, Pseudonymizer};
use std::sync::Arc;

fn texts(tokens: &Pseudonymizer, array: &dyn Array) -> Vec<String> {
    tokens.apply(array).unwrap().as_string::<i32>().iter().map(|token| token.unwrap().to_owned()).collect()
}

#[test]
fn formats_of_the_hash_methods() {
    let ann = StringArray::from(vec!["ann"]);
    let hmac = keyed(PseudonymMethod::HmacSha256).with_format(TokenFormat::Base32).unwrap();
    assert_eq!(texts(&hmac, &ann), ["WS3T377REP6FDLSRJWNGZSOLEM"]);
    let bytes = keyed(PseudonymMethod::HmacSha256).with_format(TokenFormat::Binary).unwrap().apply(&ann).unwrap();
    assert_eq!(u128::from_be_bytes(bytes.as_fixed_size_binary().value(0).try_into().unwrap()), 0xb4b7_3dff_f123_fc51_ae51_4d9a_6cc9_cb23);
    assert_eq!(keyed(PseudonymMethod::HmacSha256).apply(&ann).unwrap().as_string::<i32>().value(0), "b4b73dfff123fc51ae514d9a6cc9cb23");
}

#[test]
fn missing_rows_and_labels() {
    let hmac = keyed(PseudonymMethod::HmacSha256).with_random_nulls().unwrap();
    let tokens = hmac.apply_from(&StringArray::from(vec![None::<&str>]), 5).unwrap();
    assert_eq!(tokens.as_string::<i32>().value(0), "09c34e57f03896879a8025cbc0a2da14");
    let tokens = keyed(PseudonymMethod::HmacSha256).apply_labelled(&StringArray::from(vec!["ann"]), &Int8Array::from(vec![3])).unwrap();
    assert_eq!(tokens.as_string::<i32>().value(0), "341f27b5f6700770f81b7545fcd74d2b");
}

#[test]
fn aes_siv() {
    let siv = keyed(PseudonymMethod::AesSiv);
    let cases: [(ArrayRef, &str); 5] = [
        (Arc::new(StringArray::from(vec!["ann"])), "WMI42UVTF2OSSCX3YNU7Q2UQCD2ZICMOOCW3WVG6B2W5JYTNB4ZA"),
        (Arc::new(StringArray::from(vec![""])), "YP4ZYLVIAMWAUKCE4D7MKXY6GQH6IIYCMGMYR4U5OBCUY2K6AL4A"),
        (
            Arc::new(StringArray::from(vec!["aaaaaaaaaaaaaaa"])),
            "NAL7NMH6NV43KJLAYD3CM55NH4TVH3K5MUJHNQTDMNRDCNLDU7ESYOY7GCAEOYUORS4SW62FNAZQ2",
        ),
        (Arc::new(Int8Array::from(vec![42])), "QHNIGDNB466XL24OHW4PTF4C3IN6JQ6JOPSMWHETQIU4ERKZUOV626PQZDJAAZ65DQNGRHXTXXBCW"),
        (Arc::new(BooleanArray::from(vec![true])), "AIOM7OZZJJEJCWE7QWTYZSU2T2LG7XB7BD777LAY2BRMTLSGECWQ"),
    ];
    for (array, expected) in cases {
        assert_eq!(texts(&siv, &array), [expected], "{}", array.data_type());
    }
    let ann = StringArray::from(vec!["ann"]);
    let hex = keyed(PseudonymMethod::AesSiv).with_format(TokenFormat::Hex).unwrap();
    assert_eq!(texts(&hex, &ann), ["b311cd52b32e9d290afbc369f86a9010f594098e70adbb54de0eadd4e26d0f32"]);
    let numbered = keyed(PseudonymMethod::AesSiv).with_random_nulls().unwrap();
    let tokens = numbered.apply_from(&StringArray::from(vec![None::<&str>]), 5).unwrap();
    assert_eq!(tokens.as_string::<i32>().value(0), "EJBOM5H3VI7YBLTYFGLECD6LNXGCGJIA74IF3YRFRSWHTYAJRQKQ");
}

#[test]
fn aes_siv_binds_tokens_to_scope_and_column() {
    let domain = PseudonymDomain {
        scope: Scope::Product,
        recipient: "Example AI Inc.",
        release: "artist-preferences-2026-11",
        product: "tastes",
        column: "subject_id",
        period: "",
    };
    let tokens = Pseudonymizer::in_domain(PseudonymMethod::AesSiv, &Key::from_bytes([7; 32]), &domain).unwrap();
    assert_eq!(texts(&tokens, &StringArray::from(vec!["ann"])), ["TDPS34AJNMZSFVNWG2BBQCBEO22DOQKZADZZOPBRL6KDCXXZZ23A"]);
}

#[test]
fn aes_block() {
    let block = keyed(PseudonymMethod::AesBlock);
    let cases: [(ArrayRef, &str); 4] = [
        (Arc::new(Int64Array::from(vec![42])), "01fc183839f54af07a52b8db6c83d0a0"),
        (Arc::new(Int8Array::from(vec![-1])), "1ab77c1a17a3504f9dc8f48cbfee7ea4"),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), "21f6c969ab6c3d3f5e278a82ac5edfdd"),
        (
            Arc::new(Decimal128Array::from(vec![10_i128.pow(38) - 1]).with_precision_and_scale(38, 0).unwrap()),
            "98350619033bc6bf97de77c4f2abb945",
        ),
    ];
    for (array, expected) in cases {
        assert_eq!(texts(&block, &array), [expected], "{}", array.data_type());
    }
    let numbered = keyed(PseudonymMethod::AesBlock).with_random_nulls().unwrap();
    let tokens = numbered.apply_from(&Int64Array::from(vec![None]), 5).unwrap();
    assert_eq!(tokens.as_string::<i32>().value(0), "d944836cc9f76700656a4856c3e0630f");
    assert_eq!(texts(&block, &StringArray::from(vec!["919108f7-52d1-4320-9bac-f847db4148a8"])), ["1aec5758-c49c-4c89-0a6a-addb0b9350c1"]);
    let uuid = FixedSizeBinaryArray::try_from_iter([0x9191_08f7_52d1_4320_9bac_f847_db41_48a8_u128.to_be_bytes()].into_iter()).unwrap();
    let tokens = block.apply(&uuid).unwrap();
    assert_eq!(tokens.as_fixed_size_binary().value(0), 0x1aec_5758_c49c_4c89_0a6a_addb_0b93_50c1_u128.to_be_bytes());
}

#[test]
fn ff1() {
    let digits = keyed(PseudonymMethod::Ff1);
    assert_eq!(texts(&digits, &StringArray::from(vec!["012345678901", "123456"])), ["975526334850", "157858"]);
    let of = |alphabet: &str| keyed(PseudonymMethod::Ff1).with_alphabet(Alphabet::parse(alphabet).unwrap()).unwrap();
    assert_eq!(texts(&of("lower"), &StringArray::from(vec!["listener"])), ["tsieqaym"]);
    assert_eq!(texts(&of("αβγδ€"), &StringArray::from(vec!["αβγδ€αβγδ€"])), ["γ€βγγβγδγα"]);
    let signed = digits.apply(&Int64Array::from(vec![42, -1])).unwrap();
    assert_eq!(signed.as_primitive::<Int64Type>().values(), &[-8_088_607_598_433_043_552, -2_166_627_284_076_423_538]);
    let unsigned = digits.apply(&UInt64Array::from(vec![42])).unwrap();
    assert_eq!(unsigned.as_primitive::<UInt64Type>().values(), &[10_358_136_475_276_508_064]);
    let short = digits.apply(&Int32Array::from(vec![42])).unwrap();
    assert_eq!(short.as_primitive::<Int32Type>().values(), &[-40_690_483]);
    let short = digits.apply(&UInt32Array::from(vec![u32::MAX])).unwrap();
    assert_eq!(short.as_primitive::<UInt32Type>().values(), &[2_949_660_638]);
}
