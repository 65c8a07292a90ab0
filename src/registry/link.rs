//! `Link` headers (RFC 8288), as far as paging needs them.

use url::Url;

/// Longest header value read, in bytes.
const LONGEST: usize = 8 * 1024;

/// The target of the first link whose relation is `next`, resolved against the page it stands on; `Err` when it leads to
/// another origin, or names a user. Its query is kept as it is: it may be a cursor that means something to the registry alone.
///
/// # Errors
/// What is wrong with the target, as the end of a sentence that begins with the registry's name.
pub fn next<'a>(page: &Url, values: impl Iterator<Item = &'a str>) -> Result<Option<Url>, &'static str> {
    let Some(target) = values.filter(|value| value.len() <= LONGEST).find_map(target) else { return Ok(None) };
    let next = page.join(target).map_err(|_| "links to a next page that is no URL")?;
    if next.origin() != page.origin() || !next.username().is_empty() || next.password().is_some() {
        return Err("links to a next page on another host");
    }
    Ok(Some(next))
}

/// `</v2/…>; rel="next"` among the links of one value.
fn target(value: &str) -> Option<&str> {
    let mut rest = value;
    loop {
        let (target, after) = rest.trim_start_matches([',', ' ', '\t']).strip_prefix('<')?.split_once('>')?;
        let end = parameters_end(after);
        let (parameters, more) = after.split_at_checked(end)?;
        if is_next(parameters) {
            return Some(target);
        }
        rest = more;
    }
}

/// Where the parameters of a link end: at a comma outside quotes.
fn parameters_end(text: &str) -> usize {
    let mut quoted = false;
    for (place, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return place,
            _ => {}
        }
    }
    text.len()
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_table() {
        let page = Url::parse("https://r.example:5000/v2/acme/app/tags/list?n=2").unwrap();
        let here = |rest: &str| Ok(Some(format!("https://r.example:5000{rest}")));
        let table = [
            ("</v2/acme/app/tags/list?last=b&n=2>; rel=\"next\"", here("/v2/acme/app/tags/list?last=b&n=2")),
            ("<https://r.example:5000/v2/x?a=%2F+b>; rel=next", here("/v2/x?a=%2F+b")),
            ("<?last=b>;rel=\"prev next\"", here("/v2/acme/app/tags/list?last=b")),
            ("<list?next_page=gAAA%3D%3D> ; title=\"a, b; c\" ; REL = \"NEXT\"", here("/v2/acme/app/tags/list?next_page=gAAA%3D%3D")),
            ("</a>; rel=\"prev\", </b>; rel=\"next\"", here("/b")),
            ("</a>; rel=\"prev\"", Ok(None)),
            ("</a>; rel=\"nextish\"", Ok(None)),
            ("/a; rel=\"next\"", Ok(None)),
            ("</a", Ok(None)),
            ("", Ok(None)),
            ("<https://evil.example/v2/x>; rel=\"next\"", Err("links to a next page on another host")),
            ("<http://r.example:5000/v2/x>; rel=\"next\"", Err("links to a next page on another host")),
            ("<//r.example/v2/x>; rel=\"next\"", Err("links to a next page on another host")),
            ("<https://u:p@r.example:5000/x>; rel=\"next\"", Err("links to a next page on another host")),
            ("<https://[>; rel=\"next\"", Err("links to a next page that is no URL")),
        ];
        for (value, expected) in table {
            assert_eq!(next(&page, [value].into_iter()).map(|url| url.map(|url| url.to_string())), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics_or_leads_away(value in "[<>;,=\"a-z:/? ]{0,60}") {
            let page = Url::parse("https://r.example/v2/a/tags/list").unwrap();
            if let Ok(Some(url)) = next(&page, [value.as_str()].into_iter()) {
                proptest::prop_assert_eq!(url.origin(), page.origin());
            }
        }
    }
}
