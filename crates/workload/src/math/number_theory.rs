//! Problems of number theory.

use super::Template;
use crate::draw::Draw;

pub(super) const TEMPLATES: [Template; 6] = [
    remainders,
    sum_of_powers,
    divisors,
    multiples,
    digit_sums,
    trailing_zeros,
];

/// Different primes are coprime, so that the Chinese remainder theorem gives one smallest number.
fn remainders(draw: &mut Draw) -> String {
    let mut primes: [u64; 3] = draw.distinct(&[5, 7, 11, 13, 17, 19, 23, 29, 31, 37]);
    primes.sort_unstable();
    let [small, middle, large] = primes;
    let [a, b, c] = primes.map(|prime| draw.between(1, prime - 1));
    let name = draw.name();
    format!(
        "{name} has a box of marbles. Sorting them into groups of {small} leaves {a} over, sorting them \
         into groups of {middle} leaves {b} over, and sorting them into groups of {large} leaves {c} over. \
         The box holds the smallest positive number of marbles for which all of this is possible. \
         How many marbles are in the box?"
    )
}

fn sum_of_powers(draw: &mut Draw) -> String {
    let (a, b) = (draw.between(3, 97), draw.between(100, 2_500));
    let (c, d) = (draw.between(3, 97), draw.between(100, 2_500));
    format!(
        "Let $N = {a}^{{{b}}} + {c}^{{{d}}}$. When $N$ is written out in base ten, its last three \
         digits form a number $R$ between 0 and 999, where leading zeros are ignored. Determine \
         the value of $R$."
    )
}

fn divisors(draw: &mut Draw) -> String {
    let (twos, threes, fives) = (draw.between(4, 14), draw.between(3, 11), draw.between(2, 9));
    let (prime, power) = (draw.one_of(&[7, 11, 13, 17, 19, 23]), draw.between(1, 6));
    let factor = draw.one_of(&[6, 10, 12, 15, 18, 20, 30, 36, 45, 60]);
    format!(
        "The positive integer $n$ has the prime factorisation $n = 2^{{{twos}}} \\cdot 3^{{{threes}}} \\cdot \
         5^{{{fives}}} \\cdot {prime}^{{{power}}}$. Among all the positive divisors of $n$, count those that \
         are multiples of {factor} but are not perfect squares. How many are there?"
    )
}

/// No third number divides one of the first two, so that some multiples of these are left.
fn multiples(draw: &mut Draw) -> String {
    let limit = draw.between(1_000, 9_999);
    let [a, b]: [u64; 2] = draw.distinct(&[4, 6, 8, 9, 10, 12, 15, 18, 20, 24]);
    let c = draw.one_of(&[7, 11, 13, 14, 17, 19, 21, 22, 23, 26]);
    format!(
        "Consider the integers from 1 to {limit}, inclusive. An integer is called bright if it is \
         divisible by {a} or by {b} (or by both), and dull if it is divisible by {c}. How many \
         integers in this range are bright without being dull?"
    )
}

fn digit_sums(draw: &mut Draw) -> String {
    let number = draw.between(10_000, 999_999);
    let [a, b]: [u64; 2] = draw.distinct(&[2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]);
    format!(
        "The number {number}, given in base ten, is converted to base {a} and to base {b}. In each \
         of the two bases its digits are added up, and both sums are written in base ten, where a \
         digit above nine counts with its full value. Find the total of the two sums."
    )
}

fn trailing_zeros(draw: &mut Draw) -> String {
    let name = draw.name();
    let (low, high) = (draw.between(20, 200), draw.between(500, 3_000));
    let base = draw.one_of(&[6, 10, 12, 14, 15, 18, 20, 21, 24, 35]);
    format!(
        "{name} multiplies together all the integers from {low} to {high}, inclusive, and writes \
         the product in base {base}. With how many consecutive zeros does the number that {name} \
         has written end, reading from its last digit towards its first?"
    )
}
