//! Templates: what is filled in, what is refused, what stays.

use super::*;

fn template(message: &str) -> Result<Template, TemplateError> {
    Template::parse(message.as_bytes(), Columns::new(["email", "name", "n"].map(str::to_owned).to_vec()))
}

fn filled(message: &str, row: [&str; 3]) -> String {
    let row = |number: usize| row[number].to_owned();
    String::from_utf8(template(message).unwrap().fill(&row, &Headers::default()).unwrap()).unwrap()
}

const JO: [&str; 3] = ["jo@example.com", "Jörg, \"der\" <b>", "7"];

#[test]
fn fields_are_encoded_as_their_kind_needs() {
    let message =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {name}\r\nTo: {name} <{email}>\r\nX-Raw:  as  it is\r\n\r\nbody\r\n";
    let out = filled(message, JO);
    assert!(out.starts_with("Subject: =?utf-8?"), "{out}");
    assert!(out.contains("\r\nTo: =?utf-8?") && out.contains("<jo@example.com>\r\nX-Raw:  as  it is\r\n\r\nbody\r\n"));
    let plain = filled("Subject: Hi {name}, no. {n}\n\n", ["", "Jo", "7"]);
    assert!(plain.starts_with("Subject: Hi Jo, no. 7\r\n"), "{plain}");
}

#[test]
fn texts_are_encoded_as_they_need_and_html_is_escaped() {
    let message = "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\
                   Content-Type: text/plain; charset=iso-8859-1; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\n\
                   Gr=FC=DFe and more of the plain text {na=\nme}\n--b\nContent-Type: text/html; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\n\
                   PGI+e25hbWV9PC9iPg==\n--b\nContent-Type: text/plain\n\nnothing here\n--b--\n";
    let out = filled(message, JO);
    assert!(out.contains("Content-Type: text/plain;\r\n charset=utf-8;\r\n format=flowed\r\n"), "{out}");
    assert!(
        out.contains("quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe and more of the plain text J=C3=B6rg, \"der\" <b>"),
        "{out}"
    );
    assert!(out.contains("<b>J=C3=B6rg, &quot;der&quot; &lt;b&gt;</b>"), "{out}");
    assert!(out.contains("--b\nContent-Type: text/plain\n\nnothing here\n--b--\n"), "{out}");
    let ascii = filled(message, ["", "Jo", ""]);
    assert!(ascii.contains("Content-Transfer-Encoding: 7bit\r\n\r\n<b>Jo</b>"), "{ascii}");
}

#[test]
fn a_text_without_a_type_gets_one() {
    let out = filled("Subject: x\n\nHi {name}\n", JO);
    let head = "Subject: x\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n";
    assert!(out.starts_with(head), "{out}");
    assert!(filled("Subject: x\n\n日本語日本語 {name}\n", JO).contains("Encoding: base64\r\n"));
}

#[test]
fn what_has_no_place_stays_and_what_belongs_to_one_message_goes() {
    let message = "Date: x\nFrom: =?koi8-r?b?8PDw?= <a@x>\nMessage-ID: <1@x>\nSubject: plain\n\nb\x01dy\n";
    assert_eq!(filled(message, JO), "From: =?koi8-r?b?8PDw?= <a@x>\nSubject: plain\n\r\nb\x01dy\n");
    assert!(filled("Message-ID: <{n}@x>\n\n", JO).starts_with("Message-ID: <7@x>\r\n"));
}

#[test]
fn mistakes_are_reported_before_anything_is_filled() {
    let error = |message: &str| template(message).unwrap_err().to_string();
    assert_eq!(error("Subject: {nam} {x}\n\n{nam}\n"), "no column is called nam, x; there are email, name, n");
    assert!(error("Subject: x\n\nHi { and\n").starts_with("the text: '{ and"), "{}", error("Subject: x\n\nHi { and\n"));
    assert!(error("Subject: =?koi8-r?q?=F0?= {n}\n\n").contains("another charset"));
    assert!(error("Content-Type: text/plain; charset=koi8-r\n\n\u{431} {n}\n").contains("another charset"));
    assert!(error("Cc: a@x\n\n{n}\n").contains("Cc"));
    assert!(error("no header\n").contains("no message"));
    let signed = "Content-Type: multipart/signed; boundary=b\n\n--b\n\n{n}\n--b--\n";
    assert!(error(signed).contains("signed"));
}

#[test]
fn a_value_that_needs_two_lines_is_no_value_of_a_field() {
    let template = template("Subject: {name}\nTo: {email}\n\n{n}\n").unwrap();
    let check =
        |row: [&'static str; 3]| template.check(&|number: usize| row[number].to_owned()).map_err(|e| e.to_string());
    assert_eq!(check(["a@x", "Jo", "two\nlines"]), Ok(()));
    assert!(check(["a@x", "Jo\r\nBcc: b@x", ""]).unwrap_err().starts_with("Subject: a line break"));
    assert!(check(["a@x, b@x", "", ""]).unwrap_err().starts_with("To: a@x, b@x: "));
}
