//! Problems about sequences and series.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 7] = [
    arithmetic_sum,
    recurrence,
    geometric_series,
    savings,
    sum_of_floors,
    telescoping_sum,
    remainder_sequence,
];

fn arithmetic_sum(draw: &mut Draw) -> String {
    let (first, difference) = (draw.between(3, 60), draw.between(2, 25));
    let bound = draw.between(2_000, 90_000);
    format!(
        "An arithmetic sequence has first term {first} and common difference {difference}. Let $S_n$ \
         be the sum of its first $n$ terms, and let $k$ be the smallest positive integer for which \
         $S_k$ is greater than {bound}. Find the value of $k + (S_k - {bound})$."
    )
}

fn recurrence(draw: &mut Draw) -> String {
    let (a, b) = (draw.between(1, 9), draw.between(1, 9));
    let (p, q) = (draw.between(2, 7), draw.between(2, 7));
    let (index, modulus) = (draw.between(30, 2_025), draw.between(100, 1_000));
    format!(
        "A sequence of integers is defined by $a_1 = {a}$, $a_2 = {b}$ and $a_{{n+2}} = \
         {p}a_{{n+1}} + {q}a_n$ for every integer $n \\ge 1$. The terms grow quickly, but only a \
         remainder is wanted here. Find the remainder when $a_{{{index}}}$ is divided by {modulus}."
    )
}

/// The ratio is below 1, so that every series made from it converges.
fn geometric_series(draw: &mut Draw) -> String {
    let first = draw.between(2, 90);
    let denominator = draw.between(3, 25);
    let numerator = draw.between(1, denominator - 1);
    let step = draw.between(2, 6);
    let summed = draw.one_of(&["The terms", "The squares of the terms"]);
    format!(
        "An infinite geometric series has first term {first} and common ratio \
         $\\frac{{{numerator}}}{{{denominator}}}$. The terms are numbered from 1, and every term whose \
         number is a multiple of {step} is crossed out. {summed} that remain add up to \
         $\\frac{{m}}{{n}}$ in lowest terms. Find the remainder \
         when $m + n$ is divided by 1000."
    )
}

fn savings(draw: &mut Draw) -> String {
    let name = draw.name();
    let (first, more) = (draw.between(5, 60), draw.between(2, 25));
    let (skip, days) = (draw.between(3, 9), draw.between(30, 365));
    format!(
        "{name} plans to save {first} cents on day 1 and, on each later day, {more} cents more than \
         was planned for the day before. On every day whose number is a multiple of {skip}, however, \
         {name} forgets and saves nothing, while the plan for the following days stays as it was. \
         How many cents has {name} saved by the end of day {days}?"
    )
}

fn sum_of_floors(draw: &mut Draw) -> String {
    let (terms, numerator) = (draw.between(50, 900), draw.between(2, 60));
    let denominator = draw.between(3, 41);
    format!(
        "Evaluate the sum of $\\left\\lfloor \\frac{{{numerator}k}}{{{denominator}}} \\right\\rfloor$ \
         over all the integers $k$ from 1 to {terms}, inclusive, where $\\lfloor x \\rfloor$ denotes \
         the greatest integer that does not exceed the real number $x$, and give the remainder when \
         this sum is divided by 1000."
    )
}

fn telescoping_sum(draw: &mut Draw) -> String {
    let (terms, step) = (draw.between(20, 2_000), draw.between(2, 15));
    let shift = draw.between(1, 15);
    let next = step + shift;
    format!(
        "For each positive integer $k$, define $t_k = \\frac{{1}}{{({step}k + {shift})({step}k + \
         {next})}}$. The sum $t_1 + t_2 + \\cdots + t_{{{terms}}}$ of the first {terms} terms of \
         this sequence equals $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime positive \
         integers. Find $m + n$."
    )
}

fn remainder_sequence(draw: &mut Draw) -> String {
    let (factor, shift) = (draw.between(2, 60), draw.between(1, 99));
    let (modulus, index) = (draw.between(101, 499), draw.between(50, 2_025));
    let start = draw.between(1, 99);
    format!(
        "A machine shows the number {start} at first. Each time its button is pressed, it multiplies \
         the number shown by {factor}, adds {shift}, divides by {modulus} and shows the remainder, \
         an integer from 0 to {}. Which number does the machine show after its button has been \
         pressed {index} times?",
        modulus - 1
    )
}
