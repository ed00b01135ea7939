"""The architectures that `make test-architectures` tries, and those that can't answer; see docs/architectures.md."""

from stages.errors import ModelError

TRIED = frozenset(
    """
    albert arcee bart bert big_bird bigbird_pegasus biogpt bloom camembert canine convbert ctrl data2vec-text
    deberta deberta-v2 deepseek_v2 deepseek_v3 diffllama distilbert doge electra ernie esm eurobert exaone4 falcon
    flaubert fnet funnel gemma gemma2 gemma3_text glm glm4 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj gte
    helium hunyuan_v1_dense ibert jamba jetmoe jina_embeddings_v3 llama longformer luke mbart megatron-bert
    minicpm3 minimax ministral ministral3 mistral mixtral mobilebert modernbert modernbert-decoder mpnet mpt mra
    mt5 mvp nemotron nomic_bert nystromformer olmo olmo2 olmo3 openai-gpt opt perceiver persimmon phi phi3 phimoe
    plbart qwen2 qwen2_moe qwen3 qwen3_moe rembert roberta roberta-prelayernorm roc_bert roformer seed_oss smollm3
    squeezebert stablelm starcoder2 t5 umt5 xlm xlm-roberta xlm-roberta-xl xlnet xmod yoso
    """.split()  # noqa: SIM905  # a list would take a line each
)

REFUSED = {"mra": "computes its attention with a kernel from the Hub, and gives every text the same answer without it"}


def check_architecture(model_type: object, name: str) -> None:
    """Refuse an architecture that can't answer; `name` is what the message calls the model.

    Raises:
        ModelError: Its `model_type` in config.json is one of REFUSED.
    """
    if isinstance(model_type, str) and model_type in REFUSED:
        raise ModelError(f"{name}: {model_type} {REFUSED[model_type]}. Choose another model.")


def untried(model_type: object) -> str | None:
    """Return a warning where an encoder's architecture, `model_type` in its config.json, has not been tried."""
    if model_type in TRIED:
        return None
    return (
        f"the architecture {model_type} is untried (docs/architectures.md). Compare some answers of the tuned model "
        "with those of transformers.pipeline"
    )
