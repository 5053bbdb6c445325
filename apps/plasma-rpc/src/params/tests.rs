//! Requests that are right and wrong, and what is answered to them.

use super::*;
use crate::endpoint::Service;
use crate::watcher::BlockValidateParams;
use plasma_core::wire::U256;
use proptest::prelude::*;

/// Reads `value` as the field `it` and compares the outcome of a chain of validators.
fn check<T: PartialEq + fmt::Debug>(
    read: impl Fn(&Field<'_>) -> Result<T, ParamError>,
    cases: &[(&str, Result<T, &str>)],
) {
    for (value, expected) in cases {
        let body = match *value {
            "" => "{}".to_owned(),
            value => format!(r#"{{"it": {value}}}"#),
        };
        let raw = RawParams::from_body(&["it"], body.as_bytes()).unwrap();
        let outcome = read(&raw.field("it")).map_err(|error| {
            assert!(error.parameter.starts_with("it"), "{error}");
            let inner = error.parameter.strip_prefix("it").unwrap_or_default();
            format!("{}{inner}", error.validator)
        });
        let outcome = outcome.as_ref().map_err(String::as_str);
        assert_eq!(outcome, expected.as_ref().map_err(|error| *error), "{value}");
    }
}

#[test]
fn hex_is_checked_before_its_length() {
    check(
        |field| field.hex(&[]),
        &[
            (r#""0x""#, Ok(vec![])),
            (r#""0xAbcD""#, Ok(vec![0xab, 0xcd])),
            (r#""\u0030x01""#, Ok(vec![1])),
            ("", Err(":hex")),
            ("null", Err(":hex")),
            ("7", Err(":hex")),
            ("[]", Err(":hex")),
            (r#"{"a": "0x"}"#, Err(":hex")),
            (r#""01""#, Err(":hex")),
            (r#""0X01""#, Err(":hex")),
            (r#""0x0""#, Err(":hex")),
            (r#""0xg0""#, Err(":hex")),
            (r#""\ud800""#, Err(":hex")),
        ],
    );
    let address = format!("\"0x{}\"", "0a".repeat(20));
    check(
        |field| field.address().map(|address| address.0),
        &[
            (address.as_str(), Ok([10; 20])),
            (r#""0x0a""#, Err("{:length, 20}")),
            ("1", Err(":hex")),
        ],
    );
    check(|field| field.hash(), &[(r#""0x""#, Err("{:length, 32}"))]);
    check(|field| field.signature(), &[(r#""0x""#, Err("{:length, 65}"))]);
}

#[test]
fn integers_are_json_integers_of_at_most_256_bits() {
    let max = U256::MAX.to_string();
    let beyond = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let long = "9".repeat(10_000);
    check(
        |field| field.pos_integer(),
        &[
            ("1", Ok(U256::one())),
            (max.as_str(), Ok(U256::MAX)),
            (beyond, Err(":integer")),
            (long.as_str(), Err(":integer")),
            ("", Err(":integer")),
            ("null", Err(":integer")),
            (r#""1""#, Err(":integer")),
            ("1.0", Err(":integer")),
            ("1e2", Err(":integer")),
            ("true", Err(":integer")),
            ("[1]", Err(":integer")),
            ("0", Err("{:greater, 0}")),
            ("-0", Err("{:greater, 0}")),
            ("-5", Err("{:greater, 0}")),
        ],
    );
    check(
        |field| field.non_neg_integer(),
        &[("0", Ok(U256::zero())), ("-0", Ok(U256::zero())), ("-1", Err("{:greater, -1}"))],
    );
    let between = |field: &Field<'_>| {
        let number = field.integer(&[Check::Greater(-3), Check::Lesser(1_000)])?;
        Ok(number.to_u256())
    };
    check(
        between,
        &[
            ("999", Ok(Some(U256::from(999)))),
            ("-2", Ok(None)),
            ("-3", Err("{:greater, -3}")),
            ("1000", Err("{:lesser, 1000}")),
            (max.as_str(), Err("{:lesser, 1000}")),
        ],
    );
}

#[test]
fn lists_are_checked_item_by_item_and_then_as_a_whole() {
    let pairs = |field: &Field<'_>| {
        let checks = [Check::MinLength(2), Check::MaxLength(3)];
        field.list("pos", 3, &checks, |item| item.pos_integer())
    };
    check(
        |field| pairs(field).map(|items| items.len()),
        &[
            ("[1, 2]", Ok(2)),
            ("[1, 2, 3]", Ok(3)),
            ("[]", Err("{:min_length, 2}")),
            ("[1]", Err("{:min_length, 2}")),
            ("[1, 2, 3, 4]", Err("{:max_length, 3}")),
            ("[0, 2, 3, 4]", Err("{:greater, 0}.pos")),
            ("[1, 2, 3, 4, null]", Err(":integer.pos")),
            ("{}", Err(":list")),
            (r#""[]""#, Err(":list")),
            ("null", Err(":list")),
            ("", Err(":list")),
        ],
    );
}

#[test]
fn fields_of_a_map_are_named_with_a_dot() {
    check(
        |field| field.map(&["blknum"])?.field("blknum").pos_integer(),
        &[
            (r#"{"blknum": 1, "else": []}"#, Ok(U256::one())),
            (r#"{"blknum": 0}"#, Err("{:greater, 0}.blknum")),
            ("{}", Err(":integer.blknum")),
            ("[]", Err(":map")),
            ("7", Err(":map")),
        ],
    );
}

#[test]
fn a_body_is_an_object_or_counts_as_an_empty_one() {
    for (body, expected) in [
        ("", Ok(None)),
        (" \n", Ok(None)),
        ("{}", Ok(None)),
        ("[1]", Ok(None)),
        ("null", Ok(None)),
        ("7", Ok(None)),
        ("1e400", Ok(None)),
        ("\"it\"", Ok(None)),
        (r#"{"it": 1}"#, Ok(Some("1"))),
        (r#"{"it": 1, "it": 2}"#, Ok(Some("1"))),
        (r#"{"\u0069t": 1}"#, Ok(Some("1"))),
        (r#"{"jsonrpc": "2.0", "id": 0, "it": 1}"#, Ok(Some("1"))),
        (r#"{"it": null, "it": 2}"#, Ok(Some("null"))),
        ("{", Err(())),
        (r#"{"it": 1"#, Err(())),
        (r#"{"it": 1}}"#, Err(())),
        (r#"{"it": 01}"#, Err(())),
        (r#"{it: 1}"#, Err(())),
        ("nul", Err(())),
    ] {
        let raw = RawParams::from_body(&["it"], body.as_bytes());
        let value = raw.map(|raw| raw.values[0].map(RawValue::get));
        assert_eq!(value.map_err(drop), expected, "{body}");
    }
    assert!(RawParams::from_body(&["it"], b"{\"it\": \"\xff\"}").is_err());
}

#[test]
fn json_rpc_takes_parameters_by_name_or_by_position() {
    for (params, expected) in [
        (None, [None, None]),
        (Some("[1, 2, 3]"), [Some("1"), Some("2")]),
        (Some("[1]"), [Some("1"), None]),
        (Some("[]"), [None, None]),
        (Some(r#"{"b": 2}"#), [None, Some("2")]),
        (Some("7"), [None, None]),
    ] {
        let raw = RawParams::from_json_rpc(&["a", "b"], params).unwrap();
        let values: Vec<_> = raw.values.iter().map(|value| value.map(RawValue::get)).collect();
        assert_eq!(values, expected, "{params:?}");
    }
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        "[1-9][0-9]{0,90}",
        "[ -~]{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        "(0x)?([0-9a-fA-F]{2}){0,33}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("hash|transactions|number|x", inner), 0..5).prop_map(
                |entries| {
                    let entries: Vec<_> =
                        entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", entries.join(","))
                }
            ),
        ]
    })
}

proptest! {
    /// Whatever JSON comes: parameters, or an error that names one of the fields.
    #[test]
    fn any_json_is_read_or_refused_by_name(body in any_json()) {
        let raw = RawParams::from_body(BlockValidateParams::NAMES, body.as_bytes()).unwrap();
        if let Err(error) = BlockValidateParams::parse(&raw) {
            let field = error.parameter.split('.').next().unwrap_or_default();
            prop_assert!(BlockValidateParams::NAMES.contains(&field));
            let refusal = RpcError::from(error).render(Service::Watcher, "validate_block");
            prop_assert_eq!(refusal.body.code, "operation:bad_request");
            prop_assert_eq!(refusal.http_status, 200);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body: Vec<u8>) {
        let raw = RawParams::from_body(BlockValidateParams::NAMES, &body);
        prop_assert_eq!(raw.is_ok(), body.trim_ascii().is_empty() || serde_json::from_slice::<IgnoredAny>(&body).is_ok());
    }

    /// What a client sends is what a handler gets.
    #[test]
    fn parameters_survive_the_journey(
        hash: [u8; 32],
        transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
        limbs: [u64; 4],
    ) {
        let sent = BlockValidateParams {
            hash: hash.into(),
            transactions,
            number: U256(limbs).max(U256::one()),
        };
        let body = serde_json::to_vec(&sent).unwrap();
        let raw = RawParams::from_body(BlockValidateParams::NAMES, &body).unwrap();
        prop_assert_eq!(BlockValidateParams::parse(&raw).unwrap(), sent);
    }
}
