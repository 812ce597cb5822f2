//! What Hugging Face's dialect has and the template engine has not, rewritten to what it has:
//! `{% generation %}` … `{% endgeneration %}`, and `'text %s' % value`.

use super::DEPTH_MAX;
use std::ops::Range;

/// The filter that stands for the operator `%` behind a text.
pub(super) const PERCENT: &str = "python_percent";

/// The filter through which a value goes that is kept in a namespace.
pub(super) const KEPT: &str = "kept_in_namespace";

/// The source with both replaced. What is no well-formed tag stays as it is: the parser says what is wrong with it.
pub(super) fn rewrite(source: &str) -> String {
    let mut scanner = Scanner {
        source,
        at: 0,
        edits: Vec::new(),
        depth: 0,
    };
    scanner.run();
    let mut out = String::with_capacity(source.len());
    let mut from = 0;
    for (range, text) in scanner.edits {
        out.push_str(&source[from..range.start]);
        out.push_str(&text);
        from = range.end;
    }
    out.push_str(&source[from..]);
    out
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    /// In the order of the source, and apart from each other.
    edits: Vec<(Range<usize>, String)>,
    /// Operators within operands.
    depth: usize,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(open) = self.find("{") {
            self.at = open + 1;
            let inside = open + 2;
            match self.bytes().get(open + 1) {
                Some(b'#') => {
                    self.at = inside;
                    self.skip_past("#}");
                }
                Some(b'{') => {
                    self.at = inside;
                    self.expressions("}}");
                }
                Some(b'%') => {
                    self.at = inside;
                    self.block();
                }
                _ => {}
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        self.source.as_bytes()
    }

    fn find(&self, text: &str) -> Option<usize> {
        self.source[self.at..].find(text).map(|at| self.at + at)
    }

    fn skip_past(&mut self, end: &str) {
        self.at = self
            .find(end)
            .map_or(self.source.len(), |at| at + end.len());
    }

    fn block(&mut self) {
        if matches!(self.bytes().get(self.at), Some(b'-' | b'+')) {
            self.at += 1;
        }
        self.spaces();
        let name = self.at;
        self.identifier();
        match &self.source[name..self.at] {
            "generation" => self.replace_name(name, "with"),
            "endgeneration" => self.replace_name(name, "endwith"),
            "raw" => {
                // Tags inside are text, up to the one that ends it.
                while let Some(open) = self.find("{%") {
                    self.at = open + 2;
                    if matches!(self.bytes().get(self.at), Some(b'-' | b'+')) {
                        self.at += 1;
                    }
                    self.spaces();
                    if self.source[self.at..].starts_with("endraw") {
                        break;
                    }
                }
                self.skip_past("%}");
            }
            "set" => self.set(),
            _ => self.expressions("%}"),
        }
    }

    /// `set NAME.FIELD = VALUE`: what a namespace keeps may be made of what it kept before, without end.
    fn set(&mut self) {
        self.spaces();
        self.identifier();
        let is_field = self.source[self.at..].trim_start().starts_with('.');
        let to_equals = self.source[self.at..].find(['=', '%']);
        let Some(equals) = to_equals.map(|to| self.at + to) else {
            return self.expressions("%}");
        };
        if !is_field || self.bytes()[equals] != b'=' {
            return self.expressions("%}");
        }
        self.at = equals + 1;
        let (from, edit) = (self.at, self.edits.len());
        self.expressions("%}");
        if !self.source[..self.at].ends_with("%}") {
            return;
        }
        let value = &self.source[from..self.at - 2];
        let end = from + value.trim_end_matches(['-', '+']).len();
        self.edits.insert(edit, (from..from, "(".to_owned()));
        self.edits.push((end..end, format!(")|{KEPT}")));
    }

    /// A block that its tag alone opens: variables set inside stay inside, as in the block that it stands for.
    fn replace_name(&mut self, name: usize, by: &str) {
        let range = name..self.at;
        self.spaces();
        let rest = self.source[self.at..].trim_start_matches(['-', '+']);
        if rest.starts_with("%}") {
            self.edits.push((range, by.to_owned()));
        }
        self.skip_past("%}");
    }

    fn spaces(&mut self) {
        let rest = &self.source[self.at..];
        self.at = self.source.len() - rest.trim_start().len();
    }

    fn identifier(&mut self) {
        let rest = &self.source[self.at..];
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        self.at += end;
    }

    /// Up to behind `end`, which does not count within texts and brackets.
    fn expressions(&mut self, end: &str) {
        let mut open = 0_usize;
        while self.at < self.source.len() {
            if open == 0 && self.bytes()[self.at..].starts_with(end.as_bytes()) {
                self.at += end.len();
                return;
            }
            match self.bytes()[self.at] {
                b'\'' | b'"' => {
                    self.text();
                    self.percent(end);
                    continue;
                }
                b'{' | b'(' | b'[' => open += 1,
                b'}' | b')' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
    }

    /// A text in quotes, which begins here.
    fn text(&mut self) {
        let quote = self.bytes()[self.at];
        self.at += 1;
        while let Some(&byte) = self.bytes().get(self.at) {
            self.at += 1;
            if byte == b'\\' {
                self.at += 1;
            } else if byte == quote {
                break;
            }
        }
        self.at = self.at.min(self.source.len());
    }

    /// Behind a text: the operator and its operand become a filter and its argument.
    fn percent(&mut self, end: &str) {
        let after_text = self.at;
        self.spaces();
        let rest = &self.source[self.at..];
        if !rest.starts_with('%') || (end == "%}" && rest.starts_with("%}")) {
            self.at = after_text;
            return;
        }
        self.at += 1;
        let operator = after_text..self.at;
        let edits = self.edits.len();
        self.edits.push((operator, format!("|{PERCENT}(")));
        self.depth += 1;
        if self.depth <= DEPTH_MAX && self.operand() {
            self.edits.push((self.at..self.at, ")".to_owned()));
        } else {
            self.edits.truncate(edits);
        }
        self.depth -= 1;
    }

    /// A name, a text, a number or brackets, with all that binds closer than `%`.
    fn operand(&mut self) -> bool {
        self.spaces();
        match self.bytes().get(self.at) {
            Some(b'\'' | b'"') => self.text(),
            Some(b'(' | b'[' | b'{') => self.brackets(),
            _ => {
                let from = self.at;
                if matches!(self.bytes().get(self.at), Some(b'-' | b'+')) {
                    self.at += 1;
                }
                self.identifier();
                if from == self.at {
                    return false;
                }
            }
        }
        loop {
            let here = self.at;
            self.spaces();
            match self.bytes().get(self.at) {
                Some(b'.' | b'|') => {
                    self.at += 1;
                    self.spaces();
                    self.identifier();
                }
                Some(b'(' | b'[') => self.brackets(),
                _ => {
                    self.at = here;
                    return true;
                }
            }
        }
    }

    /// Up to behind the bracket that closes the one that begins here.
    fn brackets(&mut self) {
        let close = match self.bytes()[self.at] {
            b'(' => ")",
            b'[' => "]",
            _ => "}",
        };
        self.at += 1;
        self.expressions(close);
    }
}

#[cfg(test)]
mod tests {
    use super::rewrite;
    use proptest::prelude::*;

    #[test]
    fn the_marks_of_generated_text_become_a_block_of_their_own() {
        for (source, expected) in [
            (
                "{% generation %}a{% endgeneration %}",
                "{% with %}a{% endwith %}",
            ),
            (
                "{%- generation -%}a{%+endgeneration+%}",
                "{%- with -%}a{%+endwith+%}",
            ),
            ("{%\n generation\n%}", "{%\n with\n%}"),
            ("{# {% generation %} #}", "{# {% generation %} #}"),
            (
                "{% raw %}{% generation %}{% endraw %}{% generation %}",
                "{% raw %}{% generation %}{% endraw %}{% with %}",
            ),
            ("{{ '{% generation %}' }}", "{{ '{% generation %}' }}"),
            (
                "{% set generation = 1 %}{{ generation }}",
                "{% set generation = 1 %}{{ generation }}",
            ),
            ("{% generation x %}", "{% generation x %}"),
            ("{ % generation %}{", "{ % generation %}{"),
        ] {
            assert_eq!(rewrite(source), expected);
        }
    }

    #[test]
    fn a_percent_sign_behind_a_text_becomes_a_filter_with_its_operand() {
        for (source, expected) in [
            ("{{ '%s' % a }}", "{{ '%s'|python_percent( a) }}"),
            (
                "{{ '%s' % (a, 'b)') ~ c }}",
                "{{ '%s'|python_percent( (a, 'b)')) ~ c }}",
            ),
            (
                "{{ \"%d\" % m.x[1]|length + 2 }}",
                "{{ \"%d\"|python_percent( m.x[1]|length) + 2 }}",
            ),
            (
                "{{ '%s' % ('%d' % 1) }}",
                "{{ '%s'|python_percent( ('%d'|python_percent( 1))) }}",
            ),
            (
                "{{ '%(a)s' % {'a': {'b': 1}} }}",
                "{{ '%(a)s'|python_percent( {'a': {'b': 1}}) }}",
            ),
            (
                "{% if x == 'a' %}b{% endif %}",
                "{% if x == 'a' %}b{% endif %}",
            ),
            (
                "{% if x % 2 == 0 and 'a' in b %}",
                "{% if x % 2 == 0 and 'a' in b %}",
            ),
            ("a 'b' % c {{ d }}", "a 'b' % c {{ d }}"),
            ("{{ 'a\\'' % b }}", "{{ 'a\\''|python_percent( b) }}"),
        ] {
            assert_eq!(rewrite(source), expected);
        }
    }

    proptest! {
        #[test]
        fn any_source_is_taken_and_what_has_neither_stays_as_it_is(source in r#"(\{%|%\}|\{\{|\}\}|\{#|#\}|-|'|"|\\|%| |é|raw|endraw|generation|if|x|\(|\)|\[|\{|\n){0,24}"#) {
            let out = rewrite(&source);
            if !source.contains("generation") && !source.contains('%') {
                prop_assert_eq!(out, source);
            }
        }
    }
}
