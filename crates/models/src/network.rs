//! The forward pass: tokens through layers to logits.

use crate::config::{Architecture, ModelConfig};
use kernels::{AttentionShape, Kernels, KvCache, KvChunk, Matrix, RopeTable};

/// A norm's weight, and its bias where the architecture has one.
pub(crate) struct Norm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// A matrix, and its bias where the architecture has one.
pub(crate) struct Linear {
    pub(crate) matrix: Matrix,
    pub(crate) bias: Option<Vec<f32>>,
}

/// One layer.
pub(crate) struct Layer {
    pub(crate) attention_norm: Norm,
    /// Rows of q, then k, then v.
    pub(crate) qkv: Linear,
    pub(crate) output: Linear,
    pub(crate) feed_forward_norm: Norm,
    /// Llama: rows of the gate, then of up. GPT-2: up alone.
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

/// The weights of a model.
pub(crate) struct Network {
    pub(crate) config: ModelConfig,
    pub(crate) embedding: Matrix,
    /// Learned positions, `[context][hidden]`.
    pub(crate) positions: Option<Vec<f32>>,
    pub(crate) rope: Option<RopeTable>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) final_norm: Norm,
    /// Absent where the embedding serves for it too.
    pub(crate) head: Option<Matrix>,
}

/// Values between the operations of a step, kept for their memory.
#[derive(Default)]
pub(crate) struct Buffers {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    up: Vec<f32>,
    activated: Vec<f32>,
    positions: Vec<u32>,
}

/// Rows of a step: their tokens and sequences, and the rows whose logits are wanted.
pub(crate) struct Rows<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) chunks: &'a [KvChunk<'a>],
    pub(crate) wanted: &'a [usize],
}

impl Network {
    /// Computes a step: writes keys and values into `cache`, and a row of logits for each wanted row.
    pub(crate) fn forward(
        &self,
        kernels: &Kernels,
        rows: &Rows<'_>,
        cache: &mut KvCache,
        buffers: &mut Buffers,
        logits: &mut [f32],
    ) {
        let hidden = self.config.hidden;
        buffers.embed(self, rows);
        for (index, layer) in self.layers.iter().enumerate() {
            self.attend(kernels, layer, index, rows.chunks, cache, buffers);
            if index + 1 == self.layers.len() {
                // The other rows have left their keys and values; nobody asks for more of them.
                keep_rows(&mut buffers.hidden, hidden, rows.wanted);
                keep_rows(
                    &mut buffers.attended,
                    self.config.heads * self.config.head_dim,
                    rows.wanted,
                );
            }
            self.feed_forward(kernels, layer, buffers);
        }
        let count = rows.wanted.len();
        buffers.normed.resize(count * hidden, 0.0);
        self.norm(
            kernels,
            &self.final_norm,
            &buffers.hidden,
            &mut buffers.normed,
        );
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        kernels.matmul(&buffers.normed, count, head, None, logits);
    }

    fn norm(&self, kernels: &Kernels, norm: &Norm, x: &[f32], out: &mut [f32]) {
        match &norm.bias {
            Some(bias) => kernels.layer_norm(x, &norm.weight, bias, self.config.norm_eps, out),
            None => kernels.rms_norm(x, &norm.weight, self.config.norm_eps, out),
        }
    }

    fn attend(
        &self,
        kernels: &Kernels,
        layer: &Layer,
        index: usize,
        chunks: &[KvChunk<'_>],
        cache: &mut KvCache,
        buffers: &mut Buffers,
    ) {
        let config = &self.config;
        let rows = buffers.hidden.len() / config.hidden;
        #[allow(clippy::cast_precision_loss, reason = "a head has few values")]
        let scale = 1.0 / (config.head_dim as f32).sqrt();
        let shape = AttentionShape {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            scale,
        };
        buffers.normed.resize(rows * config.hidden, 0.0);
        self.norm(
            kernels,
            &layer.attention_norm,
            &buffers.hidden,
            &mut buffers.normed,
        );
        buffers.qkv.resize(rows * shape.width(), 0.0);
        let bias = layer.qkv.bias.as_deref();
        kernels.matmul(
            &buffers.normed,
            rows,
            &layer.qkv.matrix,
            bias,
            &mut buffers.qkv,
        );
        if let Some(table) = &self.rope {
            // q and k lie side by side.
            let heads = config.heads + config.kv_heads;
            kernels.rope(
                &mut buffers.qkv,
                shape.width(),
                0,
                heads,
                &buffers.positions,
                table,
            );
        }
        buffers
            .attended
            .resize(rows * config.heads * config.head_dim, 0.0);
        kernels.attention(
            &buffers.qkv,
            shape,
            cache,
            index,
            chunks,
            &mut buffers.attended,
        );
    }

    /// The attention's output, and the feed-forward layer, each added to the hidden values.
    fn feed_forward(&self, kernels: &Kernels, layer: &Layer, buffers: &mut Buffers) {
        let config = &self.config;
        let rows = buffers.hidden.len() / config.hidden;
        let Buffers {
            hidden,
            normed,
            attended,
            up,
            activated,
            ..
        } = buffers;
        kernels.matmul_add(
            attended,
            rows,
            &layer.output.matrix,
            layer.output.bias.as_deref(),
            hidden,
        );
        normed.resize(rows * config.hidden, 0.0);
        self.norm(kernels, &layer.feed_forward_norm, hidden, normed);
        up.resize(rows * layer.up.matrix.outputs(), 0.0);
        kernels.matmul(normed, rows, &layer.up.matrix, layer.up.bias.as_deref(), up);
        let inner = match config.architecture {
            Architecture::Llama => {
                activated.resize(rows * config.intermediate, 0.0);
                kernels.silu_mul(up, config.intermediate, activated);
                activated
            }
            Architecture::Gpt2 => {
                kernels.gelu_tanh(up);
                up
            }
        };
        kernels.matmul_add(
            inner,
            rows,
            &layer.down.matrix,
            layer.down.bias.as_deref(),
            hidden,
        );
    }
}

impl Buffers {
    /// The embedding of each token, and of its position where positions are learned.
    fn embed(&mut self, network: &Network, rows: &Rows<'_>) {
        let width = network.config.hidden;
        self.positions.clear();
        for chunk in rows.chunks {
            let positions = chunk.start..chunk.start + chunk.rows.len();
            self.positions
                .extend(positions.filter_map(|position| u32::try_from(position).ok()));
        }
        self.hidden.resize(rows.tokens.len() * width, 0.0);
        let each = self
            .hidden
            .chunks_exact_mut(width)
            .zip(rows.tokens)
            .zip(&self.positions);
        for ((hidden, token), position) in each {
            network.embedding.row(*token as usize, hidden);
            if let Some(learned) = &network.positions {
                let learned = &learned[*position as usize * width..][..width];
                hidden
                    .iter_mut()
                    .zip(learned)
                    .for_each(|(hidden, learned)| *hidden += learned);
            }
        }
    }
}

/// Moves the rows of `wanted`, which ascends, to the front and drops the others.
fn keep_rows(values: &mut Vec<f32>, width: usize, wanted: &[usize]) {
    for (to, from) in wanted.iter().enumerate() {
        values.copy_within(from * width..(from + 1) * width, to * width);
    }
    values.truncate(wanted.len() * width);
}
