//! Tensors to a packed network.

use super::DType;
use super::source::Source;
use crate::ModelsError;
use crate::config::{Architecture, ModelConfig};
use crate::network::{Layer, Linear, Network, Norm};
use crate::weights::{Tensor, TensorData, Weights};
use kernels::{Bits, Kernels, Matrix, Quantized, RopeTable};

/// How the tensors of a file are called.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// As `transformers` writes them, behind that prefix.
    HuggingFace(&'static str),
    /// As llama.cpp's converter writes them.
    Gguf,
}

impl Names {
    /// GPT-2 is saved with and without a prefix.
    pub(super) fn in_file(weights: &Weights) -> Self {
        let has_prefix = weights.names().any(|name| name.starts_with("transformer."));
        Names::HuggingFace(if has_prefix { "transformer." } else { "" })
    }

    /// The full name of a part, `""` for one that is not in a layer.
    fn of(self, architecture: Architecture, layer: Option<usize>, part: Part) -> String {
        let end = match (self, architecture) {
            (Names::Gguf, _) => part.gguf(),
            (_, Architecture::Gpt2) => part.gpt2(),
            (_, Architecture::Llama) => part.llama(),
        };
        match (self, architecture, layer) {
            (Names::Gguf, _, Some(layer)) => format!("blk.{layer}.{end}"),
            (Names::Gguf, ..) => end.to_owned(),
            (Names::HuggingFace(prefix), Architecture::Gpt2, Some(layer)) => {
                format!("{prefix}h.{layer}.{end}")
            }
            (Names::HuggingFace(prefix), Architecture::Gpt2, None) if part != Part::Head => {
                format!("{prefix}{end}")
            }
            (_, Architecture::Llama, Some(layer)) => format!("model.layers.{layer}.{end}"),
            (_, Architecture::Llama, None) if part != Part::Head => format!("model.{end}"),
            _ => end.to_owned(),
        }
    }
}

/// The parts of a network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Embedding,
    Positions,
    FinalNorm,
    Head,
    AttentionNorm,
    Qkv,
    Q,
    K,
    V,
    Output,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

impl Part {
    const fn gguf(self) -> &'static str {
        match self {
            Part::Embedding => "token_embd",
            Part::Positions => "position_embd",
            Part::FinalNorm => "output_norm",
            Part::Head => "output",
            Part::AttentionNorm => "attn_norm",
            Part::Qkv => "attn_qkv",
            Part::Q => "attn_q",
            Part::K => "attn_k",
            Part::V => "attn_v",
            Part::Output => "attn_output",
            Part::FeedForwardNorm => "ffn_norm",
            Part::Gate => "ffn_gate",
            Part::Up => "ffn_up",
            Part::Down => "ffn_down",
        }
    }

    const fn gpt2(self) -> &'static str {
        match self {
            Part::Embedding => "wte",
            Part::Positions => "wpe",
            Part::FinalNorm => "ln_f",
            Part::Head => "lm_head",
            Part::AttentionNorm => "ln_1",
            Part::Output => "attn.c_proj",
            Part::FeedForwardNorm => "ln_2",
            Part::Up | Part::Gate => "mlp.c_fc",
            Part::Down => "mlp.c_proj",
            Part::Qkv | Part::Q | Part::K | Part::V => "attn.c_attn",
        }
    }

    const fn llama(self) -> &'static str {
        match self {
            Part::Embedding | Part::Positions => "embed_tokens",
            Part::FinalNorm => "norm",
            Part::Head => "lm_head",
            Part::AttentionNorm => "input_layernorm",
            Part::Qkv | Part::Q => "self_attn.q_proj",
            Part::K => "self_attn.k_proj",
            Part::V => "self_attn.v_proj",
            Part::Output => "self_attn.o_proj",
            Part::FeedForwardNorm => "post_attention_layernorm",
            Part::Gate => "mlp.gate_proj",
            Part::Up => "mlp.up_proj",
            Part::Down => "mlp.down_proj",
        }
    }
}

/// Packs one part after the other, and counts.
pub(super) struct Builder<'a> {
    kernels: &'a Kernels,
    source: Source,
    names: Names,
    dtype: DType,
    architecture: Architecture,
    pub(super) parameters: usize,
    pub(super) bytes: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(kernels: &'a Kernels, source: Source, names: Names, dtype: DType) -> Self {
        Builder {
            kernels,
            source,
            names,
            dtype,
            architecture: Architecture::Llama,
            parameters: 0,
            bytes: 0,
        }
    }

    /// Everything, in the order of the forward pass.
    pub(super) fn network(
        &mut self,
        config: ModelConfig,
        context: usize,
    ) -> Result<Network, ModelsError> {
        self.architecture = config.architecture;
        let hidden = config.hidden;
        let embedding = self.tensor(None, Part::Embedding, ".weight", &[config.vocab, hidden])?;
        let embedding = self.pack(vec![embedding]);
        let positions = if config.architecture == Architecture::Gpt2 {
            let shape = [config.context_tokens, hidden];
            Some(self.values(None, Part::Positions, ".weight", &shape)?)
        } else {
            None
        };
        let layers = (0..config.layers).map(|layer| self.layer(&config, layer));
        let layers = layers.collect::<Result<_, _>>()?;
        let final_norm = self.norm(None, Part::FinalNorm, hidden)?;
        let head = self.head(&config)?;
        let rope = config.rope.as_ref();
        let rope =
            rope.map(|rope| RopeTable::new(&rope.inverse_frequencies, context, rope.pairing));
        Ok(Network {
            config,
            embedding,
            positions,
            rope,
            layers,
            final_norm,
            head,
        })
    }

    /// The last layer's matrix, where it is not the embedding's. A file may hold it although it is tied, and then what
    /// it holds is not used.
    fn head(&mut self, config: &ModelConfig) -> Result<Option<Matrix>, ModelsError> {
        let name = self.names.of(config.architecture, None, Part::Head) + ".weight";
        match config.tied {
            Some(true) => return Ok(None),
            None if !self.source.has(&name) => return Ok(None),
            Some(false) if !self.source.has(&name) => {
                return Err(ModelsError::file(
                    &self.source.path(),
                    format!(
                        "has no tensor `{name}`, and its config.json says `tie_word_embeddings` false: if the model's \
                         last layer is its embedding, set that to true"
                    ),
                ));
            }
            _ => {}
        }
        let tensor = self.tensor(None, Part::Head, ".weight", &[config.vocab, config.hidden])?;
        Ok(Some(self.pack(vec![tensor])))
    }

    fn layer(&mut self, config: &ModelConfig, layer: usize) -> Result<Layer, ModelsError> {
        let at = Some(layer);
        let (hidden, inner) = (config.hidden, config.intermediate);
        let (q, kv) = (
            config.heads * config.head_dim,
            config.kv_heads * config.head_dim,
        );
        let (qkv, up): (&[_], &[_]) = match config.architecture {
            Architecture::Gpt2 => (&[(Part::Qkv, q + 2 * kv)], &[(Part::Up, inner)]),
            Architecture::Llama => (
                &[(Part::Q, q), (Part::K, kv), (Part::V, kv)],
                &[(Part::Gate, inner), (Part::Up, inner)],
            ),
        };
        Ok(Layer {
            attention_norm: self.norm(at, Part::AttentionNorm, hidden)?,
            qkv: self.linear(at, qkv, hidden)?,
            output: self.linear(at, &[(Part::Output, hidden)], q)?,
            feed_forward_norm: self.norm(at, Part::FeedForwardNorm, hidden)?,
            up: self.linear(at, up, hidden)?,
            down: self.linear(at, &[(Part::Down, hidden)], inner)?,
        })
    }

    /// One matrix of the rows of all `parts`, with their numbers of outputs.
    fn linear(
        &mut self,
        layer: Option<usize>,
        parts: &[(Part, usize)],
        inputs: usize,
    ) -> Result<Linear, ModelsError> {
        let has_bias = self.architecture == Architecture::Gpt2;
        let transposed = has_bias && matches!(self.names, Names::HuggingFace(_));
        let mut tensors = Vec::new();
        let mut bias = Vec::new();
        for (part, outputs) in parts {
            if transposed {
                // Hugging Face keeps GPT-2's matrices as `[inputs, outputs]`.
                let values = self.values(layer, *part, ".weight", &[inputs, *outputs])?;
                tensors.push(Tensor {
                    shape: vec![*outputs, inputs],
                    data: TensorData::F32(transpose(&values, inputs, *outputs)),
                });
            } else {
                tensors.push(self.tensor(layer, *part, ".weight", &[*outputs, inputs])?);
            }
            if has_bias {
                bias.extend(self.values(layer, *part, ".bias", &[*outputs])?);
            }
        }
        Ok(Linear {
            matrix: self.pack(tensors),
            bias: has_bias.then_some(bias),
        })
    }

    fn norm(
        &mut self,
        layer: Option<usize>,
        part: Part,
        width: usize,
    ) -> Result<Norm, ModelsError> {
        let weight = self.values(layer, part, ".weight", &[width])?;
        let bias = if self.architecture == Architecture::Gpt2 {
            Some(self.values(layer, part, ".bias", &[width])?)
        } else {
            None
        };
        Ok(Norm { weight, bias })
    }

    fn tensor(
        &mut self,
        layer: Option<usize>,
        part: Part,
        end: &str,
        shape: &[usize],
    ) -> Result<Tensor, ModelsError> {
        let name = self.names.of(self.architecture, layer, part) + end;
        self.named(&name, shape)
    }

    /// A tensor by its whole name.
    pub(super) fn named(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelsError> {
        self.parameters += shape.iter().product::<usize>();
        self.source.tensor(name, shape)
    }

    /// The same in 32 bits, which is not packed.
    pub(super) fn named_values(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, ModelsError> {
        let values = self.named(name, shape)?.into_f32();
        self.bytes += size_of_val(values.as_slice());
        Ok(values)
    }

    /// A tensor in 32 bits, which is not packed.
    fn values(
        &mut self,
        layer: Option<usize>,
        part: Part,
        end: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, ModelsError> {
        let name = self.names.of(self.architecture, layer, part) + end;
        self.named_values(&name, shape)
    }

    /// The rows of all tensors as one matrix, in the numbers that were asked for.
    ///
    /// Quantised tensors that do not stack as they are (of different types) are stacked in 8 bits.
    pub(super) fn pack(&mut self, tensors: Vec<Tensor>) -> Matrix {
        let matrix = self.pack_rows(tensors);
        self.bytes += matrix.bytes();
        matrix
    }

    fn pack_rows(&self, tensors: Vec<Tensor>) -> Matrix {
        let kernels = self.kernels;
        let all_quantised: Option<Vec<&Quantized>> = tensors
            .iter()
            .map(|tensor| match &tensor.data {
                TensorData::Quantized(quantized) => Some(quantized),
                TensorData::F32(_) => None,
            })
            .collect();
        if self.dtype == DType::Auto
            && let Some(parts) = &all_quantised
            && let Some(stacked) = Quantized::concat(parts)
        {
            return Matrix::from_quantized(kernels, &stacked);
        }
        let was_quantised = tensors
            .iter()
            .any(|tensor| matches!(tensor.data, TensorData::Quantized(_)));
        let inputs = tensors
            .first()
            .and_then(|tensor| tensor.shape.last())
            .copied()
            .unwrap_or(0);
        let outputs = tensors.iter().map(|tensor| tensor.shape[0]).sum();
        let rows: Vec<f32> = tensors.into_iter().flat_map(Tensor::into_f32).collect();
        match self.dtype {
            DType::Int4 => Matrix::quantize(kernels, &rows, outputs, inputs, Bits::Four),
            DType::Int8 => Matrix::quantize(kernels, &rows, outputs, inputs, Bits::Eight),
            DType::Auto if was_quantised => {
                Matrix::quantize(kernels, &rows, outputs, inputs, Bits::Eight)
            }
            DType::Auto | DType::F32 => Matrix::from_f32(kernels, &rows, outputs, inputs),
        }
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (row, values) in values.chunks_exact(columns).enumerate() {
        for (column, value) in values.iter().enumerate() {
            out[column * rows + row] = *value;
        }
    }
    out
}
