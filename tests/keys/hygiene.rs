//! What keys must not be able to do.

use backmask::keys::{AuditCheck, AuditEntry, AuditLog, Key, KeyEntry, KeyFile, KeyOrigin, KeyRing};

/// Whether a type has a trait: an inherent constant, which exists only for types that have the trait, goes before that of a trait for all types.
/// The witness is a type that has it, and `dyn Send` has none of those asked for, so that a mistake in the trait's name or in this macro goes unnoticed nowhere.
macro_rules! has {
    ($type:ty, $witness:ty: $($bound:tt)+) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T: ?Sized> Otherwise for Probe<T> {}
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const ANSWER: bool = true;
        }
        const { assert!(<Probe<$witness>>::ANSWER && !<Probe<dyn Send>>::ANSWER) };
        <Probe<$type>>::ANSWER
    }};
}

/// Which of the traits a type has by which a secret gets out or is doubled.
macro_rules! leaks {
    ($type:ty) => {
        [
            ("Clone", has!($type, String: Clone)),
            ("Copy", has!($type, u8: Copy)),
            ("Serialize", has!($type, String: serde::Serialize)),
            ("Deserialize", has!($type, String: serde::de::DeserializeOwned)),
            ("PartialEq", has!($type, String: PartialEq)),
            ("PartialOrd", has!($type, String: PartialOrd)),
            ("Hash", has!($type, String: std::hash::Hash)),
            ("Display", has!($type, String: std::fmt::Display)),
            ("LowerHex", has!($type, u8: std::fmt::LowerHex)),
            ("AsRef", has!($type, String: AsRef<[u8]>)),
            ("Deref", has!($type, String: std::ops::Deref)),
            ("Into an array", has!($type, [u8; 32]: Into<[u8; 32]>)),
            ("Into a vector", has!($type, String: Into<Vec<u8>>)),
            ("Into a text", has!($type, String: Into<String>)),
            ("Default", has!($type, String: Default)),
        ]
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect::<Vec<_>>()
    };
}

#[test]
fn secrets_cannot_be_copied_printed_or_compared() {
    assert_eq!(leaks!(Key), [""; 0]);
    assert_eq!(leaks!(KeyRing), [""; 0]);
    assert_eq!(leaks!(KeyFile), [""; 0]);
    assert_eq!(leaks!(AuditLog), [""; 0]);
    assert!(has!(Key, Key: zeroize::ZeroizeOnDrop), "it is wiped");
}

/// The test above finds what a type has: what is no secret has it.
#[test]
fn what_a_type_has_is_found() {
    assert_eq!(leaks!(KeyOrigin), ["Clone", "PartialEq"]);
    assert_eq!(leaks!(KeyEntry), ["Clone", "PartialEq"]);
    assert_eq!(leaks!(AuditEntry), ["Clone", "PartialEq"]);
    assert_eq!(leaks!(AuditCheck), ["Clone", "PartialEq"]);
    assert_eq!(leaks!(u8).len(), 10);
    assert_eq!(leaks!(String).len(), 12);
}
