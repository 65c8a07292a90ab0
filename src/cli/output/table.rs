//! Tables for people: columns as wide as they need, the last one cut to the width there is.

use super::style::{Style, cut};

/// Narrowest a column gets when there is not enough room.
const NARROWEST: usize = 8;

/// Lays out `rows` under `heads`. Cells must be printable and without colour.
pub(in super::super) fn table(heads: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    fit(&mut widths, style.width());
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let mut out = format!("{}\n", style.faint(&line(&heads, &widths)));
    for row in rows {
        out.push_str(&line(row, &widths));
        out.push('\n');
    }
    out
}

/// Takes from the widest column, one by one so that two wide ones stay even, until the table fits or no more can be taken.
fn fit(widths: &mut [usize], room: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>().saturating_add(gaps) > room {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROWEST) else { return };
        *widest -= 1;
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cut(cell, *width)));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_columns_give_first() {
        for (widths, room, expected) in [
            (vec![10, 10], 80, vec![10, 10]),
            (vec![10, 50], 40, vec![10, 28]),
            (vec![40, 40], 42, vec![20, 20]),
            (vec![6, 6, 6], 5, vec![6, 6, 6]),
        ] {
            let mut fitted = widths.clone();
            fit(&mut fitted, room);
            assert_eq!(fitted, expected, "{widths:?} in {room}");
        }
    }
}
