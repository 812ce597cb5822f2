//! Problems of combinatorics.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 6] = [
    committee,
    lattice_paths,
    strings,
    sweets,
    round_table,
    coloured_tiles,
];

fn committee(draw: &mut Draw) -> String {
    let [first, second] = draw.names();
    let (seniors, juniors) = (draw.between(6, 14), draw.between(5, 12));
    let (size, least) = (draw.between(5, 8), draw.between(1, 2));
    format!(
        "A school club has {seniors} seniors, among them {first} and {second}, and {juniors} \
         juniors. A committee of {size} members is to be chosen that contains at least {least} of \
         the seniors and at least 2 of the juniors. {first} and {second} refuse to serve together. \
         Find the remainder when the number of possible committees is divided by 1000."
    )
}

/// The blocked points lie strictly inside the rectangle, so that some path is left along its edge.
fn lattice_paths(draw: &mut Draw) -> String {
    let name = draw.name();
    let (width, height) = (draw.between(7, 16), draw.between(7, 16));
    let (p, q) = (draw.between(1, width / 2), draw.between(1, height - 1));
    let (r, s) = (
        draw.between(width / 2 + 1, width - 1),
        draw.between(1, height - 1),
    );
    format!(
        "{name} walks along the lines of a grid from $(0, 0)$ to $({width}, {height})$, each step going one \
         unit to the right or one unit up. The crossings at $({p}, {q})$ and $({r}, {s})$ are \
         closed, and no walk may pass through either. Find the remainder when the number of walks \
         that remain is divided by 1000."
    )
}

fn strings(draw: &mut Draw) -> String {
    let name = draw.name();
    let (length, letters) = (
        draw.between(8, 20),
        draw.one_of(&["ABCD", "ABCDE", "ABCDEF"]),
    );
    let (most, modulus) = (draw.between(1, 4), draw.between(500, 1_009));
    format!(
        "{name} writes down every string of {length} letters from the alphabet {letters} in which \
         no two neighbouring letters are equal and the letter A appears at most {most} times. Find \
         the remainder when the number of strings on the list is divided by {modulus}."
    )
}

/// There are more sweets than the least shares add up to, so that some way always exists.
fn sweets(draw: &mut Draw) -> String {
    let [eldest, other] = draw.names();
    let (sweets, children) = (draw.between(30, 90), draw.between(4, 7));
    let (least, most) = (draw.between(1, 3), draw.between(5, 15));
    format!(
        "A bag of {sweets} identical sweets is shared out completely among {children} children, two \
         of whom are {eldest} and {other}. Every child must receive at least {least}, {eldest} may \
         receive at most {most}, and {other} must receive an even number. Find the remainder when \
         the number of ways to share out the sweets is divided by 1000."
    )
}

fn round_table(draw: &mut Draw) -> String {
    let [first, second, third] = draw.names();
    let people = draw.between(7, 14);
    format!(
        "{people} people, including {first}, {second} and {third}, take their places at a round \
         table with {people} chairs. Two seatings count as the same if one is a rotation of the \
         other. {first} insists on sitting next to {second}, and {third} must not sit next to \
         {first}. Find the remainder when the number of seatings is divided by 1000."
    )
}

/// There are at least as many other tiles as tiles to be kept apart.
fn coloured_tiles(draw: &mut Draw) -> String {
    let [apart, second, third, fourth]: [&str; 4] = draw.distinct(&[
        "red", "blue", "green", "white", "black", "yellow", "orange", "purple", "grey",
    ]);
    let (a, b) = (draw.between(2, 5), draw.between(2, 6));
    let (c, d) = (draw.between(2, 6), draw.between(2, 6));
    format!(
        "A row is to be laid from {a} {apart} tiles, {b} {second} tiles, {c} {third} tiles and {d} \
         {fourth} tiles. Tiles of one colour cannot be told apart, and no two {apart} tiles may lie \
         next to each other. Find the remainder when the number of different rows is divided by \
         1000."
    )
}
