//! Rows and single objects as aligned lines of text.

use psiod::text::escape_controls;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cell;
use crate::columns::Column;

const GAP: usize = 2;
/// Where the terminal sets a width, a text that is not the last may take this much of it.
const WIDEST_TEXT: usize = 32;
/// A text cut to less than this says nothing.
const NARROWEST_TEXT: usize = 4;

/// A header and a line for each row, numbers on the right and texts on the left. With a `width`, columns that do not
/// fit are left out from the right, and texts are cut: half a number would be a wrong one.
pub fn rows(columns: &[Column], rows: &[Value], width: Option<usize>) -> Vec<String> {
    let cells = |column: &Column| -> Vec<String> {
        let header = escape_controls(&column.name).into_owned();
        let texts = rows.iter().map(|row| cell::text(column.value(row), column.unit));
        std::iter::once(header).chain(texts).collect()
    };
    let mut lines = vec![String::new(); rows.len() + 1];
    let mut used = 0;
    for (at, column) in columns.iter().enumerate() {
        let is_last = at + 1 == columns.len();
        let cells = cells(column);
        let widest = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
        let gap = if at == 0 { 0 } else { GAP };
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(used + gap));
        let wanted = if width.is_some() && !column.numeric && !is_last { widest.min(WIDEST_TEXT) } else { widest };
        if wanted > room && (column.numeric || room < NARROWEST_TEXT) {
            break;
        }
        let taken = wanted.min(room);
        for (line, cell) in lines.iter_mut().zip(cells) {
            pad(line, used + gap);
            let cell = cut(&cell, taken);
            if column.numeric {
                pad(line, used + gap + taken - cell.width());
            }
            line.push_str(&cell);
        }
        used += gap + taken;
    }
    lines
}

/// A line for each field of an object: its name, and its value where all values begin.
pub fn object(columns: &[Column], object: &Value, width: Option<usize>) -> Vec<String> {
    let names: Vec<_> = columns.iter().map(|column| escape_controls(&column.name)).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let lines = columns.iter().zip(names).map(|(column, name)| {
        let mut line = name.into_owned();
        pad(&mut line, widest + GAP);
        line.push_str(&cell::text(column.value(object), column.unit));
        width.map_or(line.clone(), |width| cut(&line, width))
    });
    lines.collect()
}

/// Fills a line with spaces up to this width.
fn pad(line: &mut String, width: usize) {
    let missing = width.saturating_sub(line.width());
    line.extend(std::iter::repeat_n(' ', missing));
}

/// As much of a text as this width holds, with `…` where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    if width > 0 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use psio_api::registry;
    use serde_json::json;

    use super::*;
    use crate::columns::{Described, Pairs};

    fn shown(rows: &[Value], width: Option<usize>) -> Vec<String> {
        let described = Described::reply(registry::find("process.getall").unwrap());
        let columns = described.columns(rows.first(), &[], Pairs::Together);
        super::rows(&columns, rows, width)
    }

    #[test]
    fn numbers_stand_right_and_texts_left() {
        let rows = [
            json!({"pid": 1, "name": "init", "cpu_percent": 0.25, "memory_info": [1024, 2048]}),
            json!({"pid": 31337, "name": "日本", "cpu_percent": null, "memory_info": null}),
        ];
        let lines = [
            "  pid  name  cpu_percent  memory_info",
            "    1  init          0.2    1.0K 2.0K",
            "31337  日本            -            -",
        ];
        assert_eq!(shown(&rows, None), lines);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_only_texts_are_cut() {
        let row = json!({"pid": 7, "name": "a-long-name", "nice": -20, "cmdline": ["sleep", "100"]});
        let cut = |width| shown(std::slice::from_ref(&row), Some(width)).pop().unwrap();
        assert_eq!(cut(80), "  7  a-long-name   -20  sleep 100");
        assert_eq!(cut(30), "  7  a-long-name   -20  sleep…");
        assert_eq!(cut(27), "  7  a-long-name   -20");
        assert_eq!(cut(20), "  7  a-long-name");
        assert_eq!(cut(10), "  7  a-lo…");
        assert_eq!(cut(8), "  7");
        assert_eq!(cut(0), "");
    }

    #[test]
    fn a_long_text_does_not_push_the_others_out() {
        let row = json!({"name": "n".repeat(200), "pid": 7});
        assert!(shown(std::slice::from_ref(&row), Some(60)).pop().unwrap().ends_with("…    7"));
        assert!(shown(&[row], None).pop().unwrap().contains(&"n".repeat(200)));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let row = json!({"name": "日本日本日本日本", "pid": 1234, "cmdline": ["ü", "🦀🦀🦀🦀"]});
        for width in 0..40 {
            let lines = shown(std::slice::from_ref(&row), Some(width));
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
        }
    }

    #[test]
    fn without_rows_there_is_a_header() {
        let described = Described::reply(registry::find("cpu.getall").unwrap());
        let columns = described.columns(None, &["num".to_owned(), "usage".to_owned()], Pairs::Together);
        assert_eq!(rows(&columns, &[], None), ["num  usage"]);
    }

    #[test]
    fn an_object_has_a_line_for_each_field_and_nested_ones_are_dotted() {
        let memory = json!({"virtual": {"total": 2048, "percent": 25.6}, "swap": {"free": null}});
        let columns =
            Described::reply(registry::find("memory.getall").unwrap()).columns(Some(&memory), &[], Pairs::Together);
        let lines = ["virtual.total    2.0K", "virtual.percent  25.6", "swap.free        -"];
        assert_eq!(object(&columns, &memory, None), lines);
        assert_eq!(object(&columns, &memory, Some(19))[0], "virtual.total    2…");
    }

    #[test]
    fn names_of_fields_are_no_way_to_paint_the_terminal_either() {
        assert_eq!(shown(&[json!({"\u{1b}[2J": 1})], None)[0], r"\u{1b}[2J");
    }
}
