//! Problems about probability.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 6] = [
    urn,
    highest_die,
    coin_game,
    meeting,
    divisible_sum,
    drawn_cards,
];

/// At least one more ball is drawn than is asked for in the first colour, and all can be drawn.
fn urn(draw: &mut Draw) -> String {
    let [first, second, third]: [&str; 3] = draw.distinct(&[
        "red", "blue", "green", "white", "black", "yellow", "orange", "purple",
    ]);
    let [a, b, c] = [
        draw.between(4, 15),
        draw.between(4, 15),
        draw.between(4, 15),
    ];
    let (drawn, exactly) = (draw.between(3, 6), draw.between(1, 2));
    format!(
        "An urn contains {a} {first} balls, {b} {second} balls and {c} {third} balls. {drawn} balls \
         are drawn at random without replacement. The probability that exactly {exactly} of the \
         drawn balls are {first} is $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime \
         positive integers. Find the remainder when $m + n$ is divided by 1000."
    )
}

fn highest_die(draw: &mut Draw) -> String {
    let [first, second] = draw.names();
    let (dice, others) = (draw.between(2, 5), draw.between(2, 5));
    let (sides, other_sides) = (
        draw.one_of(&[4, 6, 8, 10, 12, 20]),
        draw.one_of(&[6, 8, 10, 12]),
    );
    format!(
        "{first} rolls {dice} fair dice whose {sides} sides are numbered from 1 to {sides}, and \
         keeps the highest number. {second} rolls {others} fair dice whose {other_sides} sides are \
         numbered from 1 to {other_sides}, and also keeps the highest. {first} wins if the number \
         kept is strictly greater than {second}'s. The probability of this is $\\frac{{m}}{{n}}$ in \
         lowest terms. Find the remainder when $m + n$ is divided by 1000."
    )
}

fn coin_game(draw: &mut Draw) -> String {
    let [first, second] = draw.names();
    let (a, b) = (draw.between(2, 12), draw.between(2, 12));
    let denominator = draw.between(3, 9);
    let numerator = draw.between(1, denominator - 1);
    format!(
        "{first} starts a game with {a} coins and {second} starts with {b}. In every round, \
         independently of the others, {first} wins one coin from {second} with probability \
         $\\frac{{{numerator}}}{{{denominator}}}$, and otherwise loses one coin to {second}. They \
         stop when one of them has no coins left. The probability that {first} ends with all the \
         coins is $\\frac{{m}}{{n}}$ in lowest terms. Find the remainder when $m + n$ is divided by \
         1000."
    )
}

/// Nobody waits as long as the whole span, so that the probability is strictly between 0 and 1.
fn meeting(draw: &mut Draw) -> String {
    let [first, second] = draw.names();
    let span = draw.between(40, 120);
    let (a, b) = (draw.between(5, 30), draw.between(5, 30));
    format!(
        "{first} and {second} each come to a library at a random moment within the same {span} \
         minutes, uniformly and independently of each other. {first} waits {a} minutes after \
         arriving and then leaves, and {second} waits {b} minutes, even if this goes past the end \
         of the span. The probability that they meet is $\\frac{{m}}{{n}}$, where $m$ and $n$ are \
         relatively prime positive integers. Find $m + n$."
    )
}

fn divisible_sum(draw: &mut Draw) -> String {
    let name = draw.name();
    let (limit, divisor) = (draw.between(40, 400), draw.between(3, 30));
    format!(
        "{name} picks two different integers from 1 to {limit} at random, every pair being equally \
         likely, and adds them up. The probability that the sum is divisible by {divisor} is \
         $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime positive integers. Find $m + n$."
    )
}

fn drawn_cards(draw: &mut Draw) -> String {
    let name = draw.name();
    let (cards, drawn) = (draw.between(20, 500), draw.between(3, 12));
    let wanted = draw.one_of(&[
        "the largest number drawn",
        "the second largest number drawn",
        "the difference between the largest and the smallest number drawn",
    ]);
    format!(
        "A deck has {cards} cards, numbered from 1 to {cards}. {name} shuffles it well and draws \
         {drawn} cards without putting any of them back. The expected value of {wanted} is \
         $\\frac{{m}}{{n}}$, where $m$ and $n$ are relatively prime positive integers. Find $m + n$."
    )
}
