//! A small writer of HTML that cannot leave a tag open or a text unescaped.

/// HTML as it grows. Elements are opened and closed by one call, so they always nest.
#[derive(Debug, Default)]
pub(super) struct Markup {
    text: String,
}

/// Attributes of an element, in order.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Markup {
    /// Text, escaped.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                // Characters that XML cannot hold, and those that reverse the reading order of what follows.
                '\u{0}'..='\u{8}'
                | '\u{b}'
                | '\u{c}'
                | '\u{e}'..='\u{1f}'
                | '\u{7f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    self.text.push('\u{fffd}');
                }
                other => self.text.push(other),
            }
        }
        self
    }

    /// A constant of this crate that is HTML or CSS already.
    pub(super) fn constant(&mut self, html: &'static str) -> &mut Self {
        self.text.push_str(html);
        self
    }

    /// An element with what `inner` writes in it.
    pub(super) fn element(&mut self, name: &'static str, attributes: Attributes<'_>, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name, attributes, ">");
        inner(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    /// An element that holds one text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) -> &mut Self {
        self.element(name, attributes, |inner| {
            inner.text(text);
        })
    }

    /// An element without content, closed in place.
    pub(super) fn void(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.open(name, attributes, "/>");
        self
    }

    fn open(&mut self, name: &str, attributes: Attributes<'_>, end: &str) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            self.text(value);
            self.text.push('"');
        }
        self.text.push_str(end);
    }

    /// A table with a caption, column heads and rows of texts. Columns whose head begins with `#` hold numbers and are aligned to the right; those
    /// whose head begins with `~` are not broken into lines.
    pub(super) fn table(&mut self, caption: &str, heads: &[&str], rows: &[Vec<String>]) -> &mut Self {
        let class = |column: usize| -> Attributes<'static> {
            match heads.get(column).and_then(|head| head.chars().next()) {
                Some('#') => &[("class", "n")],
                Some('~') => &[("class", "w")],
                _ => &[],
            }
        };
        self.element("div", &[("class", "scroll")], |outer| {
            outer.element("table", &[], |table| {
                table.leaf("caption", &[], caption);
                table.element("thead", &[], |head| {
                    head.element("tr", &[], |row| {
                        for title in heads {
                            let attributes: Attributes<'_> =
                                if title.starts_with('#') { &[("scope", "col"), ("class", "n")] } else { &[("scope", "col")] };
                            row.leaf("th", attributes, title.trim_start_matches(['#', '~']));
                        }
                    });
                });
                table.element("tbody", &[], |body| {
                    for cells in rows {
                        body.element("tr", &[], |row| {
                            for (column, cell) in cells.iter().enumerate() {
                                if column == 0 {
                                    row.leaf("th", &[("scope", "row")], cell);
                                } else {
                                    row.leaf("td", class(column), cell);
                                }
                            }
                        });
                    }
                });
            });
        })
    }

    /// Pairs of a term and what it is.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> &mut Self {
        self.element("dl", &[], |list| {
            for (term, fact) in facts {
                list.element("div", &[], |pair| {
                    pair.leaf("dt", &[], term).leaf("dd", &[], fact);
                });
            }
        })
    }

    /// All that was written.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_escaped() {
        let mut markup = Markup::default();
        markup.leaf("p", &[("title", "\"><script>")], "<script>alert('x')</script> & \u{202e}\u{0}");
        assert_eq!(
            markup.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; \u{fffd}\u{fffd}</p>"
        );
    }
}
