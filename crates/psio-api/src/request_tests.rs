//! What is understood, what is refused, and in which words.

use super::*;

fn refused(text: &str) -> Refused {
    parse(text).unwrap_err()
}

#[test]
fn the_first_protocols_request_is_understood() {
    let request = parse(r#"{"type":"command","data":{"name":"process.getall"}}"#).unwrap();
    let call = Call { name: "process.getall".to_owned(), params: Map::new() };
    assert_eq!(request, Request::Command { id: None, call });
}

#[test]
fn ids_are_kept_to_the_letter() {
    for id in ["7", "-0.50e3", r#""a\u0041""#, "18446744073709551617"] {
        let request = parse(&format!(r#"{{"type":"command","id":{id},"data":{{"name":"x"}}}}"#)).unwrap();
        let Request::Command { id: Some(parsed), .. } = request else { panic!("{request:?}") };
        assert_eq!(parsed.as_json(), id);
    }
}

#[test]
fn an_id_of_another_kind_is_refused() {
    for id in ["[1]", "{}", "true"] {
        let refused = refused(&format!(r#"{{"type":"command","id":{id},"data":{{"name":"x"}}}}"#));
        assert!(refused.error.message.contains("`id` must be a string or a number"), "{id}");
    }
}

#[test]
fn an_id_that_is_no_value_is_one_all_the_same() {
    for id in ["1e999", r#""\ud800""#] {
        assert_eq!(RequestId::from_json(id).unwrap().to_value(), json!(id));
    }
}

#[test]
fn an_id_may_have_128_bytes_and_no_more() {
    let message = |length| format!(r#"{{"type":"command","id":"{}","data":{{"name":"x"}}}}"#, "i".repeat(length));
    assert!(parse(&message(128)).is_ok());
    assert!(refused(&message(129)).error.message.contains("129 bytes"));
}

#[test]
fn an_id_of_null_is_no_id() {
    let request = parse(r#"{"type":"command","id":null,"data":{"name":"x"}}"#).unwrap();
    assert!(matches!(request, Request::Command { id: None, .. }));
}

#[test]
fn an_object_that_was_not_stringified_gets_the_advice() {
    let error = refused("[object Object]").error;
    assert_eq!(error.code, ErrorCode::BadJson);
    assert!(error.message.contains("JSON.stringify"));
}

#[test]
fn what_is_not_json_is_bad_json() {
    for text in ["", "hello", "{", "{\"type\":}", "\u{0}", "{}{}"] {
        assert_eq!(refused(text).error.code, ErrorCode::BadJson, "{text:?}");
    }
}

#[test]
fn json_that_is_no_object_is_named() {
    for (text, kind) in [("[1]", "an array"), ("3", "a number"), ("\"x\"", "a string"), ("null", "null")] {
        let error = refused(text).error;
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.message.ends_with(&format!("got {kind}")), "{}", error.message);
    }
}

#[test]
fn a_missing_type_is_named() {
    assert!(refused(r#"{"data":{}}"#).error.message.contains("`type` is missing"));
}

#[test]
fn an_unknown_type_is_named_and_the_id_kept() {
    let refused = refused(r#"{"type":"comand","id":3,"data":{}}"#);
    assert_eq!(refused.id.unwrap().as_json(), "3");
    assert!(refused.error.message.contains("`comand`; did you mean command?"), "{}", refused.error.message);
}

#[test]
fn nesting_ten_thousand_deep_is_refused_without_harm() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(refused(&deep).error.code, ErrorCode::BadRequest);
    let in_params = format!(r#"{{"type":"command","id":1,"data":{{"name":"cpu.getall","fields":{deep}}}}}"#);
    assert!(refused(&in_params).error.message.contains("recursion limit"));
    assert_eq!(refused(&"[".repeat(10_000)).error.code, ErrorCode::BadJson);
}

#[test]
fn unknown_envelope_keys_are_ignored() {
    assert!(parse(r#"{"type":"command","data":{"name":"x"},"extra":[1]}"#).is_ok());
}

#[test]
fn host_is_unsupported_until_built() {
    let error = refused(r#"{"type":"command","host":"db1","data":{"name":"x"}}"#).error;
    assert_eq!(error.code, ErrorCode::Unsupported);
}

fn subscribe(rest: &str) -> Result<Request, Refused> {
    parse(&format!(r#"{{"type":"subscribe",{rest}"data":{{"name":"cpu.getall","limit":1}}}}"#))
}

#[test]
fn a_subscription_has_an_id_an_interval_and_a_mode() {
    let request = subscribe(r#""id":2,"interval":250,"mode":"delta","#).unwrap();
    let Request::Subscribe { id, interval_ms, mode, call } = request else { panic!("{request:?}") };
    assert_eq!((id.as_json(), interval_ms, mode, call.name.as_str()), ("2", 250, Mode::Delta, "cpu.getall"));
    assert_eq!(call.params.len(), 1);
}

#[test]
fn a_subscription_is_whole_and_each_second_unless_it_says_otherwise() {
    let request = subscribe(r#""id":2,"#).unwrap();
    assert!(matches!(request, Request::Subscribe { interval_ms: 1000, mode: Mode::Whole, .. }), "{request:?}");
}

#[test]
fn a_subscription_without_id_is_refused() {
    assert!(subscribe("").unwrap_err().error.message.contains("`id` is missing"));
}

#[test]
fn an_interval_out_of_range_is_refused_and_the_range_named() {
    for interval in ["99", "0", "-5", "3600001", "1e300", "250.5", "\"1000\"", "[]"] {
        let refused = subscribe(&format!(r#""id":2,"interval":{interval},"#)).unwrap_err();
        assert_eq!(refused.error.code, ErrorCode::BadParams, "{interval}");
        assert!(refused.error.message.contains("from 100 to 3600000"), "{}", refused.error.message);
        assert_eq!(refused.id.unwrap().as_json(), "2");
    }
    assert!(subscribe(r#""id":2,"interval":3.6e6,"#).is_ok());
}

#[test]
fn another_mode_is_refused() {
    assert!(subscribe(r#""id":2,"mode":"diff","#).unwrap_err().error.message.contains("expected \"delta\""));
}

#[test]
fn an_unsubscription_names_its_subscription() {
    let request = parse(r#"{"type":"unsubscribe","id":3,"subscription":"a"}"#).unwrap();
    let Request::Unsubscribe { id, subscription } = request else { panic!("{request:?}") };
    assert_eq!((id.unwrap().as_json(), subscription.as_json()), ("3", r#""a""#));
    assert!(refused(r#"{"type":"unsubscribe","id":3}"#).error.message.contains("`subscription` is missing"));
    let other = refused(r#"{"type":"unsubscribe","id":3,"subscription":{}}"#);
    assert!(other.error.message.contains("`subscription` must be"), "{}", other.error.message);
}

#[test]
fn messagepack_is_read_like_json() {
    let text = r#"{"type":"command","id":7,"data":{"name":"cpu.getall","limit":2}}"#;
    let packed = rmp_serde::to_vec(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
    assert_eq!(parse_packed(&packed).unwrap(), parse(text).unwrap());
    assert!(parse_packed(b"\xc1").unwrap_err().error.message.contains("not MessagePack"));
}

#[test]
fn long_names_are_shortened_in_messages() {
    let error = unknown_command(&"ü".repeat(5_000), ["cpu.getall"]);
    assert!(error.message.len() < 300);
}
