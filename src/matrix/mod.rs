//! Who listened to what: the subject × item matrix, item support and contribution caps, counted in people.
