//! The shapes of sentences.

use super::topics::Topic;
use crate::draw::Draw;

const ADJECTIVES: [&str; 40] = [
    "old", "narrow", "quiet", "heavy", "bright", "damp", "fragile", "famous", "empty", "crooked",
    "reliable", "cheap", "dusty", "elegant", "frozen", "green", "handmade", "hollow", "silent",
    "loose", "modern", "noisy", "ordinary", "pale", "polished", "rare", "rough", "rusty", "simple",
    "smooth", "solid", "spare", "strange", "sturdy", "tidy", "uneven", "warm", "wooden", "worn",
    "yellow",
];

const TIMES: [&str; 16] = [
    "in the early morning",
    "after the storm",
    "on the second Tuesday",
    "before the holidays",
    "late in October",
    "during the inventory",
    "shortly after noon",
    "in the first week of March",
    "at the end of the shift",
    "when the fog lifted",
    "on the longest day of the year",
    "without any warning",
    "for the third time this year",
    "against all advice",
    "under a clear sky",
    "while the others slept",
];

/// One sentence on a topic, with its full stop.
pub(super) fn sentence(draw: &mut Draw, topic: &Topic) -> String {
    let words = Words::draw(draw, topic);
    match draw.between(0, 2) {
        0 => of_people(draw, &words),
        1 => of_things(draw, &words),
        _ => of_places(draw, &words),
    }
}

/// What a sentence may need; most use a part of it.
struct Words {
    place: &'static str,
    other_place: &'static str,
    thing: &'static str,
    people: &'static str,
    act: &'static str,
    adjective: &'static str,
    other_adjective: &'static str,
    time: &'static str,
    name: &'static str,
    other_name: &'static str,
    /// From 2.
    number: u64,
}

impl Words {
    fn draw(draw: &mut Draw, topic: &Topic) -> Self {
        let [place, other_place] = draw.distinct(&topic.places);
        let [adjective, other_adjective] = draw.distinct(&ADJECTIVES);
        let [name, other_name] = draw.names();
        Self {
            place,
            other_place,
            thing: draw.one_of(&topic.things),
            people: draw.one_of(&topic.people),
            act: draw.one_of(&topic.acts),
            adjective,
            other_adjective,
            time: draw.one_of(&TIMES),
            name,
            other_name,
            number: draw.between(2, 480),
        }
    }
}

fn of_people(draw: &mut Draw, words: &Words) -> String {
    let Words {
        place,
        thing,
        people,
        act,
        adjective,
        time,
        name,
        other_name,
        number,
        ..
    } = words;
    let tries = draw.between(2, 9);
    match draw.between(0, 6) {
        0 => format!(
            "{}, {name} {act} the {adjective} {thing} beside the {place}, although the {people} had \
             asked for another {number} days.",
            capitalised(time)
        ),
        1 => format!(
            "It took {name} {number} hours and {tries} attempts before the {thing} was {adjective} \
             enough to be trusted."
        ),
        2 => format!(
            "{name} wrote to {other_name} that the {place} would be closed for {tries} weeks, and that \
             all {number} {thing}s should be kept {adjective}."
        ),
        3 => format!(
            "{name} preferred the {adjective} way, which cost {number} more but spared the {people} a \
             walk to the {place}."
        ),
        4 => format!(
            "\"If the {thing} fails again,\" said {name} {time}, \"we shall move it to the {place} and \
             begin from number {number}.\""
        ),
        5 => format!(
            "By the time {name} reached the {place}, {number} of the {thing}s had been sold, lent or \
             quietly mended by {other_name}."
        ),
        _ => format!(
            "{name} and {other_name} {act} {number} {thing}s {time}, and neither of them would say \
             which one was {adjective}."
        ),
    }
}

fn of_things(draw: &mut Draw, words: &Words) -> String {
    let Words {
        place,
        thing,
        people,
        act,
        adjective,
        other_adjective,
        time,
        name,
        number,
        ..
    } = words;
    let few = draw.between(2, 12);
    match draw.between(0, 5) {
        0 => format!(
            "According to the {people}, {} {adjective} {thing} is worth more than {number} \
             {other_adjective} ones.",
            article(adjective)
        ),
        1 => format!(
            "Of the {} {thing}s that {name} {act} {time}, only {few} were still {adjective} at the end \
             of the season.",
            number + few
        ),
        2 => format!(
            "{} {adjective} {thing} needs patience: it must be checked every {number} minutes and \
             never left near the {place}.",
            capitalised(article(adjective))
        ),
        3 => format!(
            "The difference was small, {number} grams on a good day, yet the {people} {act} every \
             {thing} twice because of it."
        ),
        4 => format!(
            "Each {thing} has a number, from 1 to {number}, and {} {adjective} mark that {name} put on \
             its side {time}.",
            article(adjective)
        ),
        _ => format!(
            "Nobody could say why {thing} {number} stayed so {adjective} while everything around it \
             grew {other_adjective}."
        ),
    }
}

fn of_places(draw: &mut Draw, words: &Words) -> String {
    let Words {
        place,
        other_place,
        thing,
        people,
        adjective,
        other_adjective,
        time,
        name,
        number,
        ..
    } = words;
    let year = draw.between(1_840, 2_024);
    match draw.between(0, 4) {
        0 => format!(
            "Between the {place} and the {other_place} there are {number} {thing}s, most of them \
             {adjective} and a few beyond repair."
        ),
        1 => format!(
            "When the {people} returned {time}, they found the {place} {adjective}, {number} {thing}s \
             missing and a note signed by {name}."
        ),
        2 => format!(
            "Records from {year} describe the {place} as {adjective} and {other_adjective}, with \
             {number} {thing}s and hardly any {people}."
        ),
        3 => format!(
            "The {place} was rebuilt in {year}, {number} steps from the {other_place}, because the \
             {people} wanted it less {adjective}."
        ),
        _ => format!(
            "Whoever walks from the {place} to the {other_place} {time} passes {number} {thing}s, and \
             sees that the {people} prefer what is {adjective}."
        ),
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
