//! Why a configuration or a data set is refused.

use crate::WORDS_MAX;
use trace::Nanos;

/// Why a configuration or a data set is refused. Each message names the value, the limit and the
/// way out.
//
// One enum, as in every crate; that its file is long is the price of a sentence for each way to fail.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WorkloadError {
    /// Neither a category of texts nor a number of words.
    #[error(
        "a length of texts is one of short, medium, long, mixed, or a number of words from 1 to {WORDS_MAX}, got `{text}`"
    )]
    TextLength {
        /// What was given.
        text: String,
    },
    /// A rate that is not a positive number.
    #[error(
        "`--request-rate` must be above 0 requests per second and finite, got `{rate}`; leave it \
         out for bursts or a closed loop."
    )]
    Rate {
        /// As given, in requests per second.
        rate: f64,
    },
    /// A burstiness that is not positive.
    #[error(
        "`--burstiness` must be above 0, got `{burstiness}`; leave it out (or give 1) for Poisson \
         arrivals, give `inf` for equal gaps."
    )]
    Burstiness {
        /// As given: the shape of the gamma distribution.
        burstiness: f64,
    },
    /// A parameter of an arrival process whose rate changes.
    #[error("`{parameter}` of `{process}` arrivals must be {expected}, got `{value}`.")]
    ArrivalParameter {
        /// The process, as plans name it.
        process: &'static str,
        /// The parameter, as plans name it.
        parameter: &'static str,
        /// As given.
        value: f64,
        /// The range it must be in, with its unit.
        expected: &'static str,
    },
    /// Nothing may be in flight.
    #[error(
        "`--max-concurrency` must be at least 1 request in flight, got `0`; give 1 to send one request after \
         the other."
    )]
    Concurrency,
    /// A batch of nothing.
    #[error("`--batch-sizes` must be positive integers, got `0`; leave it out for 1,2,4,8.")]
    BatchSize,
    /// A run that is over before it begins.
    #[error(
        "`--duration` must be above 0 seconds, got `0`; leave it out to stop after the last \
         planned request."
    )]
    Duration,
    /// A run of nothing.
    #[error("a run needs at least 1 request, got `0`; raise `--num-prompts` or leave it out.")]
    Requests,
    /// A plan that would not fit in memory.
    #[error(
        "a run may plan at most {limit} requests, and this one plans more; lower `--num-prompts`, \
         `--request-rate` or `--duration`."
    )]
    TooManyRequests {
        /// [`crate::REQUESTS_MAX`].
        limit: usize,
    },
    /// An open plan whose first request comes after its end.
    #[error(
        "no request arrives within {} s at {rate} requests per second; raise `--request-rate` or \
         `--duration`.",
        .after.seconds()
    )]
    NothingArrives {
        /// In requests per second.
        rate: f64,
        /// The end of the run.
        after: Nanos,
    },
    /// A request that may generate nothing.
    #[error("`--max-tokens` must be at least 1, got `0`; give at least 1 token.")]
    MaxTokens,

    /// Text that is no span of time.
    #[error(
        "`{text}` is not a span of time from 0 to {limit} s; write a number with ms, s, m or h, such \
         as 500ms or 2m."
    )]
    Span {
        /// As given, without control characters.
        text: String,
        /// In seconds.
        limit: f64,
    },
    /// An arrival process that does not parse.
    #[error("{flag} cannot read `{text}`; write it like {example}.")]
    ArrivalNotation {
        /// The flag that takes it.
        flag: &'static str,
        /// As given, without control characters.
        text: String,
        /// One that it takes.
        example: &'static str,
    },
    /// A length scenario that does not parse, or asks for too much or too little.
    #[error(
        "`{scenario}` is not a length scenario: at {place} there must be {expected}. Write \
         D(100,50), N(480,240)/(300,150), U(50,150)/(20,80) or L(480,240)/(300,150)."
    )]
    LengthScenario {
        /// As given, without control characters.
        scenario: String,
        /// `character N`, or `its end`.
        place: String,
        /// What must stand there.
        expected: String,
    },
    /// A number of turns that no session can have.
    #[error(
        "sessions must have from 1 to {limit} turns, the most not below the fewest, got {min} to \
         {max}."
    )]
    SessionTurns {
        /// As given.
        min: u32,
        /// As given.
        max: u32,
        /// [`crate::TURNS_MAX`].
        limit: u32,
    },
    /// A number of turns that does not parse.
    #[error("`{text}` is no number of turns; write one such as 3, 2-6 or dataset.")]
    TurnCount {
        /// As given, without control characters.
        text: String,
    },
    /// A think time that does not parse.
    #[error(
        "`{text}` is no think time; write one such as 2s, exp:2s or lognormal:2s:1s, the last of mean and \
         standard deviation."
    )]
    ThinkTimeText {
        /// As given, without control characters.
        text: String,
    },
    /// As many turns as rows that are not there.
    #[error(
        "conversations can have the turns of a data set only where prompts come from one; give a number of \
         turns, such as 3."
    )]
    NoRows,
    /// A log-normal think time without a mean.
    #[error(
        "the mean of log-normal think times must be above 0 seconds, got `0`; take a constant think \
         time of 0 instead."
    )]
    ThinkTime,
    /// Groups of shared system prompts that do not parse.
    #[error(
        "`{text}` is not a number of system prompts and their tokens; write both from 1 to {limit}, with \
         an x between them, such as 4x2000."
    )]
    PrefixGroups {
        /// As given, without control characters.
        text: String,
        /// [`crate::TOKENS_MAX`].
        limit: u32,
    },
    /// Exact lengths without a tokenizer.
    #[error(
        "lengths in tokens need the model's tokenizer: name it with `--tokenizer`, a folder, a file or an id on the hub."
    )]
    NoTokenizer,

    /// What a prompt cannot do without has its tokens already.
    #[error(
        "a prompt of {budget} tokens has no room: without any text of its own it takes {taken} for the \
         chat template and what must stand first; ask for more than {taken}."
    )]
    TokenBudgetTaken {
        /// As asked for, in tokens.
        budget: usize,
        /// In tokens.
        taken: usize,
    },
    /// No text has that length.
    #[error(
        "no text was found with which the prompt has exactly {budget} tokens; the nearest \
         has {nearest}. Ask for {nearest}, or for another length."
    )]
    TokenBudgetMissed {
        /// As asked for, in tokens.
        budget: usize,
        /// In tokens.
        nearest: usize,
    },
    /// The caller's tokenizer does not take a text, or gives none.
    #[error("the tokenizer failed on a built-in text: {reason}.")]
    Tokenizer {
        /// What it says, without a full stop.
        reason: String,
    },
    /// A mix of classes that does not parse, or has no sense.
    #[error(
        "`{mix}` is not a mix of classes: {reason}. Write names with weights above 0, such as \
         chat=0.7,summarise=0.2,code=0.1."
    )]
    Mix {
        /// As given, without control characters.
        mix: String,
        /// What is wrong, and where.
        reason: String,
    },

    /// A distribution of adapters that does not parse.
    #[error(
        "`{text}` is no distribution of adapters; there are single, uniform, zipf, zipf:EXPONENT (above 0, up to \
         10), all-unique and mixed."
    )]
    AdapterSpread {
        /// As given, without control characters.
        text: String,
    },
    /// Adapters without a name.
    #[error(
        "adapters need names, as the server lists them, got an empty one; write them like `--lora-modules a,b,c`."
    )]
    NoAdapter,
    /// A share that is none.
    #[error("`--base-model-ratio` must be a share of the requests from 0 to 1, got `{ratio}`.")]
    BaseModelRatio {
        /// As given.
        ratio: f64,
    },
    /// A size of images that does not parse.
    #[error(
        "`{text}` is no size of images; write width and height from 1 to {limit} pixels, such as 512x512."
    )]
    ImageSize {
        /// As given, without control characters.
        text: String,
        /// [`crate::IMAGE_SIDE_MAX`].
        limit: u32,
    },
    /// More images than a request may have, or none.
    #[error("`--num-images` must be from 1 to {limit}, got `{count}`; leave it out for none.")]
    ImageCount {
        /// As given.
        count: u32,
        /// [`crate::IMAGES_MAX`].
        limit: u32,
    },
    /// An image that could not be made.
    #[error("an image could not be made: {reason}.")]
    Image {
        /// What the encoder says.
        reason: String,
    },

    /// A file name that names no format.
    #[error(
        "`{extension}` is not a data set format that is read here; convert the file to .txt, \
         .csv, .json or .jsonl."
    )]
    UnknownFormat {
        /// As given, without control characters.
        extension: String,
    },
    /// No rows.
    #[error("the data set has no prompts; it needs at least 1.")]
    EmptyDataSet,
    /// A file that is packed.
    #[error("the file is packed; unpack it with `{packer}` first.")]
    Packed {
        /// The program that unpacks it.
        packer: &'static str,
    },
    /// Tokens where texts are sent.
    #[error(
        "row {row} of the data set has token ids in column `{column}`, and prompts are sent as texts. Decode them \
         with the model's tokenizer, or name a column of texts with `--dataset-column`."
    )]
    TokenIds {
        /// From 1.
        row: usize,
        /// With the place within it.
        column: String,
    },
    /// Bytes that are not text.
    #[error("line {line} of the file is not valid UTF-8; convert the file to UTF-8.")]
    NotUtf8 {
        /// Of the file, from 1.
        line: usize,
    },
    /// JSON or CSV that does not parse.
    #[error("the file is not valid {format}: {place}{reason}.")]
    Malformed {
        /// The format's name.
        format: &'static str,
        /// `row N: `, or empty where the reason tells the place.
        place: String,
        /// What the parser says.
        reason: String,
    },
    /// JSON that holds no rows.
    #[error(
        "the data set is {found}; it must be an array of rows, or an object with such an array \
         under `data` or `rows`."
    )]
    NotRows {
        /// What it is instead.
        found: String,
    },
    /// The column asked for is not there.
    #[error(
        "row {row} of the data set has no column `{column}`; it has {available}. Name one of them \
         with `--dataset-column`."
    )]
    MissingColumn {
        /// From 1.
        row: usize,
        /// As asked for.
        column: String,
        /// The columns there are, quoted.
        available: String,
    },
    /// No column was asked for, and none of the usual ones is there.
    #[error(
        "the data set has none of the columns {usual}; it has {available}. Name one of them with \
         `--dataset-column`."
    )]
    NoUsualColumn {
        /// The columns that are looked for, quoted.
        usual: String,
        /// The columns there are, quoted.
        available: String,
    },
    /// A column was asked for where rows are plain texts.
    #[error(
        "`--dataset-column` asks for column `{column}`, but row {row} of the data set is plain \
         text without columns; leave the flag out."
    )]
    NoColumns {
        /// From 1.
        row: usize,
        /// As asked for.
        column: String,
    },
    /// A row or field of the wrong type.
    #[error("row {row} of the data set holds {found}{place}; a prompt must be text.")]
    NotText {
        /// From 1.
        row: usize,
        /// ` in column …`, or empty where the row itself is of the wrong type.
        place: String,
        /// The JSON type, with its article.
        found: &'static str,
    },
    /// A row without a prompt.
    #[error(
        "row {row} of the data set has an empty prompt; fill it, delete the row, or name another \
         column with `--dataset-column`."
    )]
    EmptyPrompt {
        /// From 1.
        row: usize,
    },
    /// A row that no server would take.
    #[error(
        "the prompt in row {row} of the data set is {bytes} bytes long, above the limit of \
         {limit}; shorten it or delete the row."
    )]
    PromptTooLong {
        /// From 1.
        row: usize,
        /// As found.
        bytes: usize,
        /// [`crate::PROMPT_BYTES_MAX`].
        limit: usize,
    },

    /// A column of a trace or of a named data set is not there.
    #[error(
        "row {row} of the {kind} has no column `{column}`, which its format needs; it has {available}."
    )]
    MissingField {
        /// `trace`, or the name of the data set's format.
        kind: &'static str,
        /// From 1.
        row: usize,
        /// As the format names it.
        column: String,
        /// The columns there are, quoted.
        available: String,
    },
    /// A field of a trace or of a named data set is not what it must be.
    #[error("row {row} of the {kind} has {found}{place}; there must be {expected}.")]
    WrongField {
        /// `trace`, or the name of the data set's format.
        kind: &'static str,
        /// From 1.
        row: usize,
        /// ` in column …` with the place within it, or empty where it is the row itself.
        place: String,
        /// The field, or its type.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A name that is not on the list.
    #[error("`{name}` is not a {what} that is read here; give one of {known}.")]
    UnknownName {
        /// What the name should have been of.
        what: &'static str,
        /// As given, without control characters.
        name: String,
        /// The names there are, quoted.
        known: String,
    },
    /// Columns that are those of no format that has a name.
    #[error(
        "the data set's columns are {available}, which is none of the formats {known}; name the column \
         of the prompts with `--dataset-column`."
    )]
    UnknownDataset {
        /// The columns there are, quoted.
        available: String,
        /// The formats there are, quoted.
        known: String,
    },
    /// Columns that are those of no trace.
    #[error(
        "the trace's first line has the columns {available}, which is none of the formats {known}; name \
         the format with `--trace-format`."
    )]
    UnknownTrace {
        /// The columns there are, quoted.
        available: String,
        /// The formats there are, quoted.
        known: String,
    },
    /// Times that may be seconds where milliseconds are usual, or of no known unit.
    #[error(
        "the times of the trace do not say their unit: its {requests} rows span {span} of it, which may be seconds \
         as well as milliseconds. Give `--trace-time-unit s` if they are seconds, or `ms`, `us` or `ns`."
    )]
    TraceUnit {
        /// Rows with a time.
        requests: usize,
        /// From the first to the last, as the file has it.
        span: f64,
    },
    /// The columns of another trace than the one that was named.
    #[error(
        "the trace has the column `{column}`, as Qwen-Bailian's traces have, whose times are seconds and whose \
         blocks are 16 tokens. Give `--trace-format bailian`, or `--trace-time-unit` where its times are others."
    )]
    BailianTrace {
        /// One that Mooncake's do not have.
        column: String,
    },
    /// A turn that follows its session's last answer.
    #[error(
        "row {row} of the trace has a `delay` and no `timestamp`: it follows the answer before it, and a trace is \
         replayed at times that it has. Give every row a `timestamp`, or hold conversations with `--turns` and \
         `--think-time`."
    )]
    TraceDelay {
        /// From 1.
        row: usize,
    },
    /// A row that holds a text instead of its length.
    #[error(
        "row {row} of the trace has `{column}` and no `input_length`: a trace has lengths, and texts are made for \
         them. Send texts of your own with `--dataset-path` and `--dataset-column`, or give every row an \
         `input_length`."
    )]
    TraceTexts {
        /// From 1.
        row: usize,
        /// What holds the text.
        column: &'static str,
    },
    /// More blocks than a prompt can have.
    #[error(
        "row {row} of the trace has {ids} ids in column `hash_ids`, more than one for every {block_tokens} tokens of \
         its {input_tokens}. Give the size of its blocks with `--trace-block-tokens`; Mooncake's have 512, \
         Qwen-Bailian's 16."
    )]
    TraceBlocks {
        /// From 1.
        row: usize,
        /// As found.
        ids: usize,
        /// Of the prompt.
        input_tokens: u32,
        /// As they were taken to be.
        block_tokens: u32,
    },
    /// No requests.
    #[error("the trace has no requests; it needs at least 1 with a prompt and an answer.")]
    EmptyTrace,
    /// A trace that goes back in time.
    #[error(
        "row {row} of the trace goes back in time, by {} s in column `{column}`; sort the rows by that \
         column.",
        .back.seconds()
    )]
    TraceOrder {
        /// From 1.
        row: usize,
        /// The column of the times.
        column: &'static str,
        /// By how much.
        back: Nanos,
    },
    /// A part of a trace in which nothing happens.
    #[error(
        "no request of the trace is due from {} s on and before {} s; the last is due at {} s.",
        .begin.seconds(), .end.seconds(), .last.seconds()
    )]
    TraceWindow {
        /// As asked for.
        begin: Nanos,
        /// As asked for.
        end: Nanos,
        /// Of the trace.
        last: Nanos,
    },
    /// A factor that is not a positive number.
    #[error("the {name} of a trace must be above 0 and finite, got `{value}`; leave it out for 1.")]
    NotPositive {
        /// What it is.
        name: &'static str,
        /// As given.
        value: f64,
    },
}
