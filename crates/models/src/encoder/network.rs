//! The forward pass of BERT (Devlin et al., 2018): tokens through layers, each followed by its norm, to one vector a text.

use super::{EncoderConfig, Pooling};
use crate::network::Linear;
use engine::TextBatch;
use kernels::{AttentionShape, Kernels};

/// A layer norm's weight and bias.
pub(crate) struct LayerNorm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// One layer.
pub(crate) struct EncoderLayer {
    /// Rows of q, then k, then v.
    pub(crate) qkv: Linear,
    pub(crate) output: Linear,
    pub(crate) attention_norm: LayerNorm,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
    pub(crate) feed_forward_norm: LayerNorm,
}

/// The weights of an encoder.
pub(crate) struct EncoderNetwork {
    pub(crate) config: EncoderConfig,
    /// `[vocabulary][hidden]`.
    pub(crate) words: Vec<f32>,
    /// `[positions][hidden]`, with the vector of the first token type in each: texts come one by one, never in pairs.
    pub(crate) positions: Vec<f32>,
    pub(crate) embedding_norm: LayerNorm,
    pub(crate) layers: Vec<EncoderLayer>,
}

/// Values between the operations of a batch, kept for their memory.
#[derive(Default)]
pub(crate) struct Buffers {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    up: Vec<f32>,
}

impl EncoderNetwork {
    /// Writes a vector for each text of the batch.
    pub(crate) fn forward(
        &self,
        kernels: &Kernels,
        batch: &TextBatch,
        buffers: &mut Buffers,
        vectors: &mut [f32],
    ) {
        buffers.resize(batch.tokens.len(), &self.config);
        self.embed(batch, &mut buffers.hidden);
        self.norm(kernels, &self.embedding_norm, buffers);
        for layer in &self.layers {
            self.attend(kernels, layer, &batch.lengths, buffers);
            self.feed_forward(kernels, layer, buffers);
        }
        self.pool(&batch.lengths, &buffers.hidden, vectors);
    }

    fn embed(&self, batch: &TextBatch, hidden: &mut [f32]) {
        let width = self.config.hidden;
        let positions = batch.lengths.iter().flat_map(|length| 0..*length);
        let rows = hidden.chunks_exact_mut(width).zip(&batch.tokens);
        for ((row, token), position) in rows.zip(positions) {
            let word = &self.words[*token as usize * width..][..width];
            let place = &self.positions[position * width..][..width];
            for ((row, word), place) in row.iter_mut().zip(word).zip(place) {
                *row = word + place;
            }
        }
    }

    fn norm(&self, kernels: &Kernels, norm: &LayerNorm, buffers: &mut Buffers) {
        let Buffers { hidden, normed, .. } = buffers;
        kernels.layer_norm(
            hidden,
            &norm.weight,
            &norm.bias,
            self.config.norm_eps,
            normed,
        );
        std::mem::swap(hidden, normed);
    }

    fn attend(
        &self,
        kernels: &Kernels,
        layer: &EncoderLayer,
        lengths: &[usize],
        buffers: &mut Buffers,
    ) {
        let config = &self.config;
        let rows = buffers.hidden.len() / config.hidden;
        let head_dim = config.hidden / config.heads;
        #[allow(clippy::cast_precision_loss, reason = "a head has few values")]
        let scale = 1.0 / (head_dim as f32).sqrt();
        let shape = AttentionShape {
            heads: config.heads,
            kv_heads: config.heads,
            head_dim,
            scale,
        };
        let Buffers {
            hidden,
            qkv,
            attended,
            ..
        } = buffers;
        kernels.matmul(
            hidden,
            rows,
            &layer.qkv.matrix,
            layer.qkv.bias.as_deref(),
            qkv,
        );
        kernels.bidirectional_attention(qkv, shape, lengths, attended);
        kernels.matmul_add(
            attended,
            rows,
            &layer.output.matrix,
            layer.output.bias.as_deref(),
            hidden,
        );
        self.norm(kernels, &layer.attention_norm, buffers);
    }

    fn feed_forward(&self, kernels: &Kernels, layer: &EncoderLayer, buffers: &mut Buffers) {
        let rows = buffers.hidden.len() / self.config.hidden;
        let Buffers { hidden, up, .. } = buffers;
        kernels.matmul(hidden, rows, &layer.up.matrix, layer.up.bias.as_deref(), up);
        kernels.gelu_erf(up);
        kernels.matmul_add(
            up,
            rows,
            &layer.down.matrix,
            layer.down.bias.as_deref(),
            hidden,
        );
        self.norm(kernels, &layer.feed_forward_norm, buffers);
    }

    /// The rows of each text become one vector, of length 1 where the model wants it.
    fn pool(&self, lengths: &[usize], hidden: &[f32], vectors: &mut [f32]) {
        let width = self.config.hidden;
        let mut rows = hidden.chunks_exact(width);
        for (vector, length) in vectors.chunks_exact_mut(width).zip(lengths) {
            match self.config.pooling {
                Pooling::Mean => {
                    for row in rows.by_ref().take(*length) {
                        vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                    }
                    #[allow(clippy::cast_precision_loss, reason = "far below 2^24 tokens")]
                    let inverse = 1.0 / *length as f32;
                    for sum in vector.iter_mut() {
                        *sum *= inverse;
                    }
                }
                Pooling::FirstToken => {
                    for (index, row) in rows.by_ref().take(*length).enumerate() {
                        if index == 0 {
                            vector.copy_from_slice(row);
                        }
                    }
                }
            }
            if self.config.normalize {
                normalize(vector);
            }
        }
    }
}

/// To length 1. The least length is that of torch's `normalize`: a vector of zeros stays one.
fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    for x in vector {
        *x /= length;
    }
}

impl Buffers {
    fn resize(&mut self, rows: usize, config: &EncoderConfig) {
        self.hidden.resize(rows * config.hidden, 0.0);
        self.normed.resize(rows * config.hidden, 0.0);
        self.qkv.resize(rows * 3 * config.hidden, 0.0);
        self.attended.resize(rows * config.hidden, 0.0);
        self.up.resize(rows * config.intermediate, 0.0);
    }
}
